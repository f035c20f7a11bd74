#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/config.hpp"
#include "gotunnel/app/control_socket.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/status.hpp"

#include <cstdio>

namespace gotunnel::app {

int status_command(const arguments& given) {
  const auto options = status_options().parse(given);
  if (options.help_wanted()) {
    std::fputs(status_help().c_str(), stdout);
    return 0;
  }
  const std::string answer = ask_server(options.text("certs"), "status");
  refuse_error(answer);
  const std::string text =
      options.on("json") ? answer + "\n" : describe_status(answer, colours_wanted(stdout));
  std::fputs(text.c_str(), stdout);
  return 0;
}

} // namespace gotunnel::app
