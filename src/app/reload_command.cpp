#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/reload_report.hpp"
#include "gotunnel/app/reloader.hpp"
#include "gotunnel/base/printable.hpp"

namespace gotunnel::app {

int reload_command(const arguments& given) {
  const auto options = reload_options().parse(given);
  if (options.help_wanted()) {
    print(reload_help());
    return 0;
  }
  const std::string answer = ask_server(options.text("certs"), "reload", reload_limit);
  refuse_error(answer);
  if (options.on("json"))
    print_json(answer);
  else
    print(printable(describe(read_reload_report(answer))) + '\n');
  return 0;
}

} // namespace gotunnel::app
