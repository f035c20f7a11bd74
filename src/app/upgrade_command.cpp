#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/upgrade.hpp"
#include "gotunnel/base/printable.hpp"

namespace gotunnel::app {

int upgrade_command(const arguments& given) {
  const auto options = upgrade_options().parse(given);
  if (options.help_wanted()) {
    print(upgrade_help());
    return 0;
  }
  const std::string answer = ask_server(options.text("certs"), "upgrade", upgrade_limit);
  if (options.on("json")) print_json(answer);
  const auto outcome = describe_upgrade(answer);
  if (outcome.well && !options.on("json")) print(printable(outcome.sentence) + '\n');
  if (!outcome.well) complain(outcome.sentence);
  return outcome.well ? 0 : 1;
}

} // namespace gotunnel::app
