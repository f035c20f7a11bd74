#include "gotunnel/app/reload_report.hpp"

#include "gotunnel/app/usage_error.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

namespace gotunnel::app {
namespace {

namespace json = boost::json;

} // namespace

std::string to_json(const reload_report& report) {
  json::object certificate{{"changed", report.certificate_changed}, {"valid_until", report.valid_until}};
  json::object secrets{{"count", report.secrets},
                       {"changed", report.secrets_changed},
                       {"from_file", report.secrets_from_file}};
  return json::serialize(
      json::object{{"certificate", std::move(certificate)}, {"secrets", std::move(secrets)}});
}

reload_report read_reload_report(std::string_view text) {
  try {
    const json::value whole = json::parse(text);
    const json::object& certificate = whole.as_object().at("certificate").as_object();
    const json::object& secrets = whole.as_object().at("secrets").as_object();
    reload_report report;
    report.certificate_changed = certificate.at("changed").as_bool();
    report.valid_until = std::string_view(certificate.at("valid_until").as_string());
    report.secrets = secrets.at("count").to_number<std::size_t>();
    report.secrets_changed = secrets.at("changed").as_bool();
    report.secrets_from_file = secrets.at("from_file").as_bool();
    return report;
  } catch (const std::exception&) {
    throw usage_error("the server's answer is of another version; see what it says with -json");
  }
}

std::string describe(const reload_report& report) {
  const auto outcome = [](bool changed) { return changed ? "changed" : "as before"; };
  const std::string secrets =
      report.secrets_from_file ? fmt::format("{} secret{} ({})", report.secrets,
                                             report.secrets == 1 ? "" : "s", outcome(report.secrets_changed))
                               : "no secret, which is not from a -secret-file";
  return fmt::format("read again: the server certificate ({}, valid until {}) and {}",
                     outcome(report.certificate_changed), report.valid_until, secrets);
}

} // namespace gotunnel::app
