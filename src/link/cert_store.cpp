#include "gotunnel/link/cert_store.hpp"

#include <algorithm>

namespace gotunnel::link {
namespace {

namespace fs = std::filesystem;

constexpr const char *ca_crt = "ca.crt", *ca_key = "ca.key", *server_crt = "server.crt",
                     *server_key = "server.key";

crypto::certificate_facts read_facts(const fs::path& file, const std::string& pem) {
  const auto facts = crypto::read_certificate(pem);
  if (!facts) refuse(file, "is not a certificate in PEM form; restore it from a backup");
  return *facts;
}

void check_key(const fs::path& certificate, const std::string& pem, const fs::path& key_file,
               const secret_text& key) {
  const auto matches = crypto::key_matches(pem, key);
  if (!matches)
    refuse(key_file, "is not a private key in PEM form without passphrase; restore it from a backup");
  if (!*matches) {
    refuse(key_file, "does not belong to {}; restore the two files that belong together",
           certificate.filename().string());
  }
}

/// From disk and not from memory: the key is not kept there.
crypto::credential read_authority(const cert_files& files) {
  crypto::credential authority{files.read(ca_crt).bytes, secret_text::take(files.read(ca_key).bytes)};
  check_key(files.path_of(ca_crt), authority.certificate, files.path_of(ca_key), authority.key);
  return authority;
}

/// "in 3 days", "today", "3 days ago".
std::string describe_days(wall_time when, wall_time now) {
  const auto days = std::chrono::floor<std::chrono::days>(when - now).count();
  if (days == 0) return "today";
  const auto many = [](auto count) { return fmt::format("{} day{}", count, count == 1 ? "" : "s"); };
  return days > 0 ? "in " + many(days) : many(-days) + " ago";
}

} // namespace

cert_store cert_store::open(const fs::path& directory, wall_time now, const cert_policy& policy) {
  cert_store store(directory, policy);
  const auto files = cert_files::make(directory, lock_patience, store.warnings_);
  store.settle(files, now);
  return store;
}

cert_store cert_store::look(const fs::path& directory, wall_time now, const cert_policy& policy) {
  cert_store store(directory, policy);
  const cert_files files(directory, lock_patience, store.warnings_);
  if (files.interrupted())
    refuse(
        files.path_of(cert_journal::waiting_room),
        "was left by an interrupted change; start the server, or run `gotunnel pki renew`, to complete it");
  store.load(files);
  store.warn_about(now);
  return store;
}

/// Brings the directory into a state that can be served, and loads it. Under the lock.
void cert_store::settle(const cert_files& files, wall_time now) {
  files.recover(warnings_);
  const bool leaf = files.present(server_crt), key = files.present(server_key);
  if (!files.present(ca_crt)) {
    for (const char* other : {ca_key, server_crt, server_key}) {
      if (files.present(other)) {
        refuse(directory_ / ca_crt,
               "is missing, but {} is there; restore ca.crt, or move {} away to have a new CA made", other,
               other);
      }
    }
    make_all(files, now);
  } else if (leaf != key) {
    refuse(directory_ / (leaf ? server_key : server_crt),
           "is missing; restore it, or move {} away to have both issued anew",
           leaf ? server_crt : server_key);
  } else if (!leaf) {
    if (!files.present(ca_key)) {
      refuse(directory_ / server_crt,
             "is missing, and without ca.key no new one can be issued; restore server.crt and "
             "server.key, or put ca.key there");
    }
    issue_leaf(files, now);
    warnings_.push_back(
        fmt::format("{}: was missing and has been issued anew", (directory_ / server_crt).string()));
  }
  const std::vector<std::string> before = warnings_;
  load(files);
  if (due(now)) {
    try {
      issue_leaf(files, now);
      warnings_ = before; // what the first load() had to say is said again, or true no more
      load(files);
    } catch (const cert_error& failed) {
      if (server_facts_.not_after <= today(now)) throw;
      warnings_.push_back(
          fmt::format("renewal failed: {}", failed.what())); // the old leaf serves for a while yet
    }
  }
  check_times(now);
  warn_about(now);
}

void cert_store::make_all(const cert_files& files, wall_time now) {
  const auto authority = crypto::make_authority(today(now), now);
  const auto leaf =
      authority ? crypto::issue_server(*authority, today(now), policy_.leaf_lifetime, now) : authority;
  if (!leaf) refuse(directory_, "no certificates can be made: {}", leaf.error().message());
  files.commit({{ca_key, authority->key.reveal(), 0600},
                {ca_crt, authority->certificate, 0644},
                {server_key, leaf->key.reveal(), 0600},
                {server_crt, leaf->certificate, 0644}});
  created_ = true;
}

void cert_store::issue_leaf(const cert_files& files, wall_time now) {
  const crypto::credential authority = read_authority(files);
  const auto leaf = crypto::issue_server(authority, today(now), policy_.leaf_lifetime, now);
  if (!leaf) {
    refuse(directory_ / ca_crt, "no server certificate can be issued from it ({}; it ends on {}); {}",
           leaf.error().message(), describe(read_facts(directory_ / ca_crt, authority.certificate).not_after),
           remedy_for_authority(true));
  }
  files.commit({{server_key, leaf->key.reveal(), 0600}, {server_crt, leaf->certificate, 0644}});
}

cert_store cert_store::renew_authority(const fs::path& directory, wall_time now, const cert_policy& policy) {
  cert_store store(directory, policy);
  const cert_files files(directory, lock_patience, store.warnings_);
  files.recover(store.warnings_);
  if (!files.present(ca_key)) refuse(directory / ca_key, "is absent; put it there to renew ca.crt");
  const crypto::credential old = read_authority(files);
  const auto authority = crypto::renew_authority(old, store.today(now), now);
  if (!authority && authority.error() == errc::refused)
    refuse(directory / ca_crt, "was signed by another CA; have it renewed there, and put it in its place");
  const auto leaf =
      authority ? crypto::issue_server(*authority, store.today(now), policy.leaf_lifetime, now) : authority;
  if (!leaf)
    refuse(directory / ca_crt, "cannot be renewed: {}; put the certificate of a CA there",
           leaf.error().message());
  files.commit({{ca_crt, authority->certificate, 0644},
                {server_key, leaf->key.reveal(), 0600},
                {server_crt, leaf->certificate, 0644}});
  store.load(files);
  store.warn_about(now);
  return store;
}

/// Reads the four files and checks that they belong together. Members change only when all is well.
void cert_store::load(const cert_files& files) {
  const fs::path authority_file = directory_ / ca_crt, leaf_file = directory_ / server_crt,
                 key_file = directory_ / server_key, authority_key_file = directory_ / ca_key;
  std::string authority = files.read(ca_crt).bytes;
  auto authority_facts = read_facts(authority_file, authority);
  if (!authority_facts.authority)
    refuse(authority_file, "is not the certificate of a CA; put the CA's there");

  std::string leaf = files.read(server_crt).bytes;
  auto leaf_facts = read_facts(leaf_file, leaf);
  net::file_content key_content = files.read(server_key);
  const secret_text key = secret_text::take(std::move(key_content.bytes));
  check_key(leaf_file, leaf, key_file, key);
  const auto is_signed = crypto::signed_by(leaf, authority);
  if (!is_signed || !*is_signed) {
    refuse(
        leaf_file,
        "is not signed by ca.crt; restore the files that belong together, or move server.crt and server.key "
        "away to have them issued anew");
  }
  if (std::find(leaf_facts.dns_names.begin(), leaf_facts.dns_names.end(), crypto::server_name) ==
      leaf_facts.dns_names.end()) {
    refuse(
        leaf_file,
        "is not for {}, which clients ask for; move server.crt and server.key away to have them issued anew",
        crypto::server_name);
  }

  std::vector<std::string> warnings;
  const auto warn_if_open = [&warnings](const fs::path& file, mode_t mode) {
    if ((mode & 0077) == 0) return;
    warnings.push_back(
        fmt::format("{}: others than its owner can use it (mode {:04o}); chmod 600 it", file.string(), mode));
  };
  const bool renewable = files.present(ca_key);
  warn_if_open(key_file, key_content.mode);
  if (renewable) {
    net::file_content content = files.read(ca_key);
    check_key(authority_file, authority, authority_key_file, secret_text::take(std::move(content.bytes)));
    warn_if_open(authority_key_file, content.mode);
  }

  authority_ = std::move(authority);
  authority_facts_ = std::move(authority_facts);
  server_ = {std::move(leaf), std::move(key)};
  server_facts_ = std::move(leaf_facts);
  renewable_ = renewable;
  warnings_.insert(warnings_.end(), std::make_move_iterator(warnings.begin()),
                   std::make_move_iterator(warnings.end()));
}

std::string cert_store::remedy_for_authority(bool key_is_there) const {
  return fmt::format(
      "`gotunnel pki renew -ca -certs {}`{} makes it anew with its key: clients with -pin go on as they "
      "are, clients with -ca need the new ca.crt",
      directory_.string(), key_is_there ? "" : ", with ca.key in its place,");
}

void cert_store::check_times(wall_time now) const {
  if (authority_facts_.not_after <= today(now)) {
    refuse(directory_ / ca_crt, "expired on {}; {}", describe(authority_facts_.not_after),
           remedy_for_authority(renewable_));
  }
  if (server_facts_.not_after <= today(now)) {
    refuse(directory_ / server_crt,
           "expired on {}; put ca.key there to have it renewed, or replace it and server.key",
           describe(server_facts_.not_after));
  }
}

std::vector<std::string> cert_store::expiry(wall_time now) const {
  const wall_time at = today(now);
  std::vector<std::string> said;
  const auto say = [&](const char* file, const crypto::certificate_facts& facts, const std::string& remedy) {
    said.push_back(fmt::format("{}: {} on {}, {}; {}", (directory_ / file).string(),
                               facts.not_after <= at ? "expired, so that clients refuse it," : "expires",
                               describe(facts.not_after), describe_days(facts.not_after, at), remedy));
  };
  if (authority_facts_.not_after - at < policy_.renew_before)
    say(ca_crt, authority_facts_, remedy_for_authority(renewable_));
  if (server_facts_.not_after == authority_facts_.not_after) return said;
  const auto left = server_facts_.not_after - at;
  if (renewable_ && left < policy_.renew_before / 3)
    say(server_crt, server_facts_,
        fmt::format("run `gotunnel pki renew -certs {}`: it says what prevents that", directory_.string()));
  if (!renewable_ && left < policy_.renew_before)
    say(server_crt, server_facts_,
        fmt::format("put ca.key there and run `gotunnel pki renew -certs {}`", directory_.string()));
  return said;
}

void cert_store::warn_about(wall_time now) {
  const auto warn = [this](std::string_view file, const std::string& text) {
    warnings_.push_back(fmt::format("{}: {}", (directory_ / file).string(), text));
  };
  if (!renewable_) {
    warn(server_crt, fmt::format("expires on {} and cannot be renewed here, because ca.key is absent",
                                 describe(server_facts_.not_after)));
  }
  if (now < policy_.built) {
    warn(ca_crt,
         fmt::format("this machine's clock says {}, which is before this program was made ({}); set it: {}",
                     describe(now), describe(policy_.built),
                     created_ ? fmt::format("the new CA serves until {}, with the clock as it is, too",
                                            describe(authority_facts_.not_after))
                              : "the expiry of certificates cannot be seen before"));
  } else if (now < server_facts_.not_before || now < authority_facts_.not_before) {
    warn(server_crt, fmt::format("is not valid before {}; is this machine's clock right?",
                                 describe(std::max(server_facts_.not_before, authority_facts_.not_before))));
  }
  for (std::string& each : expiry(now)) warnings_.push_back(std::move(each));
}

bool cert_store::due(wall_time now) const noexcept {
  const wall_time at = today(now);
  if (!renewable_ || authority_facts_.not_after <= at) return false;
  const auto life = server_facts_.not_after - server_facts_.not_before;
  const auto left = server_facts_.not_after - at;
  if (left >= std::min<std::chrono::seconds>(policy_.renew_before, life / 3)) return false;
  // A leaf ends with its CA at the latest; near that end a new one would gain nothing, again and again.
  return std::min<wall_time>(at + policy_.leaf_lifetime, authority_facts_.not_after) >
         server_facts_.not_after;
}

void cert_store::renew(wall_time now, std::chrono::milliseconds patience) {
  cert_store next(directory_, policy_);
  const cert_files files(directory_, patience, next.warnings_);
  files.recover(next.warnings_);
  if (!files.present(ca_key)) refuse(directory_ / ca_key, "is absent; put it there to renew server.crt");
  next.load(files); // refuses to build on files that do not fit together
  next.warnings_.clear();
  next.issue_leaf(files, now);
  next.load(files);
  next.warn_about(now);
  next.created_ = created_;
  *this = std::move(next);
}

bool cert_store::reload(wall_time now, std::chrono::milliseconds patience) {
  cert_store next(directory_, policy_);
  const cert_files files(directory_, patience, next.warnings_);
  files.recover(next.warnings_);
  next.load(files);
  if (next.authority_ == authority_ && next.server_.certificate == server_.certificate &&
      next.server_.key.reveal() == server_.key.reveal() && next.renewable_ == renewable_) {
    return false;
  }
  if (!next.due(now)) next.check_times(now);
  next.warn_about(now);
  next.created_ = created_;
  *this = std::move(next);
  return true;
}

} // namespace gotunnel::link
