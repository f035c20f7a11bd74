#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/upgrade.hpp"

#include <cstdio>

namespace gotunnel::app {

int upgrade_command(const arguments& given) {
  const auto options = upgrade_options().parse(given);
  if (options.help_wanted()) {
    std::fputs(upgrade_help().c_str(), stdout);
    return 0;
  }
  const std::string answer = ask_server(options.text("certs"), "upgrade", upgrade_limit);
  if (options.on("json")) std::fprintf(stdout, "%s\n", answer.c_str());
  const auto outcome = describe_upgrade(answer);
  if (outcome.well && !options.on("json")) std::fprintf(stdout, "%s\n", outcome.sentence.c_str());
  if (!outcome.well) std::fprintf(stderr, "gotunnel: %s\n", outcome.sentence.c_str());
  return outcome.well ? 0 : 1;
}

} // namespace gotunnel::app
