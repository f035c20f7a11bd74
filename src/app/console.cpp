#include "gotunnel/app/console.hpp"

#include "gotunnel/base/output.hpp"
#include "gotunnel/base/printable.hpp"

#include <fmt/format.h>

namespace gotunnel::app {

void print(std::string_view text) { output::of_process().print(text); }

void print_json(std::string_view json) { print(printable_json(json) + '\n'); }

void announce(std::string_view text) { output::of_process().say(output::stream::out, text); }

void complain(std::string_view why) {
  output::of_process().say(output::stream::err, fmt::format("gotunnel: {}\n", printable(why)));
}

} // namespace gotunnel::app
