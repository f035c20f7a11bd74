#include "gotunnel/app/commands.hpp"
#include "gotunnel/app/console.hpp"
#include "gotunnel/app/help.hpp"
#include "gotunnel/app/option_set.hpp"
#include "gotunnel/app/reloader.hpp"
#include "gotunnel/app/usage_error.hpp"
#include "gotunnel/base/output.hpp"
#include "gotunnel/base/printable.hpp"
#include "gotunnel/link/cert_store.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gotunnel::app {
namespace {

std::string describe(std::string_view title, const crypto::certificate_facts& facts, wall_time now) {
  const auto days = std::chrono::floor<std::chrono::days>(facts.not_after - now).count();
  std::string text = fmt::format("{}\n  subject  {}\n", title, printable(facts.subject));
  if (!facts.dns_names.empty())
    text += fmt::format("  SAN      DNS:{}\n",
                        printable(fmt::format("{}", fmt::join(facts.dns_names, ", DNS:"))));
  text += fmt::format("  expires  {} ({})\n  pin      {}\n", gotunnel::describe(facts.not_after),
                      days >= 0 ? fmt::format("in {} days", days) : "EXPIRED", facts.pin);
  return text;
}

void show(const link::cert_store& certificates, wall_time now) {
  print(describe("CA (ca.crt)", certificates.authority_facts(), now) +
        describe("server (server.crt)", certificates.server_facts(), now));
  for (const std::string& each : certificates.warnings()) complain(each);
}

link::cert_store renew(const std::filesystem::path& directory, bool authority, wall_time now) {
  if (authority) return link::cert_store::renew_authority(directory, now, certificate_policy());
  auto certificates = link::cert_store::open(directory, now, certificate_policy());
  certificates.renew(now);
  return certificates;
}

} // namespace

int pki_command(const arguments& given) {
  const std::vector<std::string> verbs{"show", "renew"};
  if (given.empty()) {
    output::of_process().say(output::stream::err, pki_help());
    return 2;
  }
  if (given.front() == "-h" || given.front() == "-help" || given.front() == "--help") {
    print(pki_help());
    return 0;
  }
  const std::string& verb = given.front();
  if (std::find(verbs.begin(), verbs.end(), verb) == verbs.end()) {
    const auto near = nearest(verb, verbs);
    throw usage_error(fmt::format("unknown command \"pki {}\"; {}", verb,
                                  near ? fmt::format("did you mean `gotunnel pki {}`?", *near)
                                       : "there are `gotunnel pki show` and `gotunnel pki renew`"));
  }
  const auto parsed = pki_options().parse({given.begin() + 1, given.end()});
  if (parsed.help_wanted()) {
    print(pki_help());
    return 0;
  }
  if (verb == "show" && parsed.on("ca"))
    throw usage_error(
        "-ca: show prints both; run `gotunnel pki renew -ca` to make the CA's certificate anew");
  const wall_time now = now_by_the_clock();
  const std::filesystem::path directory = parsed.text("certs");
  // Looking must not make anything: a CA is made by the first start of a server.
  if (!std::filesystem::exists(directory / "ca.crt"))
    throw usage_error(fmt::format(
        "-certs \"{}\": no ca.crt there; name the server's directory, or start `gotunnel server` to make one",
        directory.string()));
  show(verb == "renew" ? renew(directory, parsed.on("ca"), now)
                       : link::cert_store::look(directory, now, certificate_policy()),
       now);
  return 0;
}

} // namespace gotunnel::app
