#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/reload_report.hpp"
#include "gotunnel/app/reloader.hpp"
#include "gotunnel/app/usage_error.hpp"

#include <cstdio>

namespace gotunnel::app {

int reload_command(const arguments& given) {
  const auto options = reload_options().parse(given);
  if (options.help_wanted()) {
    std::fputs(reload_help().c_str(), stdout);
    return 0;
  }
  const std::string answer = ask_server(options.text("certs"), "reload", reload_limit);
  refuse_error(answer);
  const std::string text = options.on("json") ? answer : describe(read_reload_report(answer));
  std::fputs((text + "\n").c_str(), stdout);
  return 0;
}

} // namespace gotunnel::app
