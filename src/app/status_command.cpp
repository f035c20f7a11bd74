#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/status.hpp"

namespace gotunnel::app {

int status_command(const arguments& given) {
  const auto options = status_options().parse(given);
  if (options.help_wanted()) {
    print(status_help());
    return 0;
  }
  const std::string answer = ask_server(options.text("certs"), "status");
  refuse_error(answer);
  if (options.on("json"))
    print_json(answer);
  else
    print(describe_status(answer, colours_wanted(stdout)));
  return 0;
}

} // namespace gotunnel::app
