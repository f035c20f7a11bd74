#include "gotunnel/app/help.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include <unistd.h>

namespace gotunnel::app {

std::string program_help() {
  return "gotunnel publishes services behind NAT and firewalls through a server of your own.\n"
         "\n"
         "usage: gotunnel COMMAND [OPTIONS]\n"
         "\n"
         "  server   accept clients and open public ports for them\n"
         "  client   publish a local service through a server\n"
         "  pki      show or renew the server's certificates\n"
         "  version  print the version\n"
         "\n"
         "`gotunnel COMMAND --help` lists the options of a command. Options are written -x V, -x=V, --x V or "
         "--x=V.\n"
         "\n"
         "On the server:   gotunnel server -secret-file secret\n"
         "On the client:   gotunnel client -server 203.0.113.5:7000 -secret-file secret -ca ca.crt \\\n"
         "                   -remote-port 8080 -local-target 127.0.0.1:80\n"
         "Then http://203.0.113.5:8080 leads to the client's port 80.\n";
}

std::string server_help() {
  return "usage: gotunnel server -secret-file FILE [OPTIONS]\n"
         "       gotunnel server status [-certs DIR] [-json]\n"
         "       gotunnel server upgrade [-certs DIR] [-json]\n"
         "       gotunnel server reload [-certs DIR] [-json]\n"
         "\n"
         "Accepts clients and opens the public ports that they ask for. The first start makes a CA and a "
         "server certificate\n"
         "in -certs; give clients the ca.crt, or the pin that is printed.\n"
         "\n" +
         server_options().describe() +
         "\nexamples:\n"
         "  openssl rand -hex 24 > secret && chmod 600 secret && gotunnel server -secret-file secret\n"
         "  GOTUNNEL_SECRET=... gotunnel server -listen 0.0.0.0:7000 -allow-ports 8000-8999,443\n"
         "  gotunnel server -secret-file secret -bind 127.0.0.1     # public ports for a reverse proxy on "
         "this machine only\n";
}

std::string status_help() {
  return "usage: gotunnel server status [OPTIONS]\n"
         "\n"
         "Asks the server that runs with this -certs directory how it is: sessions, ports, and what it has "
         "refused.\n"
         "\n" +
         status_options().describe() +
         "\nexamples:\n"
         "  gotunnel server status -certs /var/lib/gotunnel/certs\n"
         "  gotunnel server status -json\n";
}

std::string upgrade_help() {
  return "usage: gotunnel server upgrade [OPTIONS]\n"
         "\n"
         "Has the server that runs with this -certs directory start the program that now lies where it was "
         "started "
         "from, with the\n"
         "same options, and hand everything over to it: clients, ports and visitors go on. A new process "
         "that does "
         "not start\n"
         "changes nothing. SIGUSR2 does the same.\n"
         "\n" +
         upgrade_options().describe() +
         "\nexamples:\n"
         "  install -m 755 gotunnel-new /usr/local/bin/gotunnel && gotunnel server upgrade -certs "
         "/var/lib/gotunnel/certs\n";
}

std::string reload_help() {
  return "usage: gotunnel server reload [OPTIONS]\n"
         "\n"
         "Lets the server that runs with this -certs directory read its certificates and its -secret-file "
         "again, as SIGHUP\n"
         "does. New connections of clients use what is new; sessions go on. When something is wrong, "
         "everything stays as\n"
         "it was, and the exit code is 1.\n"
         "\n"
         "To change the secret: write the new one above the old one, one a line; reload; give it to the "
         "clients, which read\n"
         "their -secret-file before they connect; remove the old line; reload.\n"
         "\n" +
         reload_options().describe() +
         "\nexamples:\n"
         "  gotunnel server reload -certs /var/lib/gotunnel/certs\n"
         "  gotunnel server reload -json\n";
}

std::string client_help() {
  return "usage: gotunnel client -server HOST:PORT -secret-file FILE [OPTIONS]\n"
         "\n"
         "Publishes a local service on a port of the server, for ever: a lost session is dialled again with "
         "backoff.\n"
         "\n" +
         client_options().describe() +
         "\nexamples:\n"
         "  gotunnel client -server 203.0.113.5:7000 -secret-file secret -ca ca.crt -remote-port 8080 "
         "-local-target 127.0.0.1:3000\n"
         "  gotunnel client -server tunnel.example.org:7000 -secret-file secret -pin sha256:... -remote-port "
         "2222 -local-target 127.0.0.1:22\n"
         "  gotunnel client -server 203.0.113.5:7000 -secret-file secret -remote-port 0 -local-target "
         "unix:/run/app.sock\n";
}

std::string pki_help() {
  return "usage: gotunnel pki show|renew [OPTIONS]\n"
         "\n"
         "show prints subject, names, expiry and pin of the CA and of the server certificate; renew makes a "
         "new server\n"
         "certificate from the CA, and with -ca the CA's own certificate, too, with the key that it has: "
         "clients "
         "with\n"
         "-pin go on, clients with -ca need the new ca.crt. A running server picks it up without dropping "
         "anyone.\n"
         "\n" +
         pki_options().describe() +
         "\nexamples:\n"
         "  gotunnel pki show\n"
         "  gotunnel pki renew -certs /var/lib/gotunnel/certs\n"
         "  gotunnel pki renew -ca -certs /var/lib/gotunnel/certs\n";
}

bool colours_wanted(std::FILE* where) {
  const char* no_color = std::getenv("NO_COLOR");
  return ::isatty(::fileno(where)) == 1 && (no_color == nullptr || *no_color == '\0');
}

void start_log(const log_config& config, const std::vector<std::string>& warnings) {
  log::setup({config.level, config.format, colours_wanted(stderr)});
  for (const std::string& each : warnings) log::warn("app", "{}", each);
}

} // namespace gotunnel::app
