#include "interface.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace gotunnel::wan {
namespace {

constexpr const char* interface_name = "wan0";
// The kernel drops what does not fit this queue, and the link must be the only one to drop.
constexpr unsigned kernel_queue = 10'000;

void write_file(const std::string& path, std::string_view text) {
  const descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC), path);
  if (::write(file.get(), text.data(), text.size()) < 0) fail(path);
}

ifreq request_about(std::string_view name) {
  ifreq request{};
  std::copy_n(name.data(), std::min<std::size_t>(name.size(), IFNAMSIZ - 1), request.ifr_name);
  return request;
}

/// By netlink, for the ioctl of the same purpose does not serve a user namespace.
void set_kernel_queue(unsigned length) {
  struct {
    nlmsghdr header{};
    ifinfomsg interface {};
    rtattr attribute{};
    unsigned value = 0;
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_SETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.interface.ifi_family = AF_UNSPEC;
  request.interface.ifi_index = static_cast<int>(::if_nametoindex(interface_name));
  request.attribute.rta_len = RTA_LENGTH(sizeof request.value);
  request.attribute.rta_type = IFLA_TXQLEN;
  request.value = length;

  const descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink");
  if (::send(netlink.get(), &request, sizeof request, 0) < 0) fail("netlink");
  struct {
    nlmsghdr header{};
    nlmsgerr outcome{};
  } answer;
  if (::recv(netlink.get(), &answer, sizeof answer, 0) < static_cast<ssize_t>(sizeof answer))
    fail("netlink", EIO);
  if (answer.outcome.error != 0) fail("queue of the interface", -answer.outcome.error);
}

/// The functions of the kernel about interfaces are asked through a socket of any kind.
class interface_settings {
public:
  interface_settings() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket") {}

  void ask(unsigned long function, ifreq& request, const char* doing) const {
    if (::ioctl(socket_.get(), function, &request) != 0)
      fail(fmt::format("{} of {}", doing, request.ifr_name));
  }
  void set_address(unsigned long function, const std::string& ip, const char* doing) const {
    ifreq request = request_about(interface_name);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (::inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1) fail(doing, EINVAL);
    std::memcpy(&request.ifr_addr, &address, sizeof address);
    ask(function, request, doing);
  }
  void start(const char* name) const {
    ifreq request = request_about(name);
    ask(SIOCGIFFLAGS, request, "flags");
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    ask(SIOCSIFFLAGS, request, "start");
  }

private:
  descriptor socket_;
};

} // namespace

void enter_own_network() {
  if (::unshare(CLONE_NEWNET) == 0) return;
  if (errno != EPERM) fail("network namespace");
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) fail("network and user namespace");
  // user_namespaces(7): the map of groups may be written only by who can no longer drop groups.
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", fmt::format("0 {} 1", user));
  write_file("/proc/self/gid_map", fmt::format("0 {} 1", group));
}

descriptor open_interface(const side_address& address, int mtu) {
  descriptor tun(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
  ifreq request = request_about(interface_name);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(tun.get(), TUNSETIFF, &request) != 0) fail("TUN interface");

  // Without IPv6 on it the kernel has nothing of its own to say, and each packet is one of the commands': the
  // same run has the same n-th packet. A kernel without IPv6 has no such file.
  try {
    write_file(fmt::format("/proc/sys/net/ipv6/conf/{}/disable_ipv6", interface_name), "1");
  } catch (const std::system_error&) {
  }
  const interface_settings settings;
  request = request_about(interface_name);
  request.ifr_mtu = mtu;
  settings.ask(SIOCSIFMTU, request, "MTU");
  set_kernel_queue(kernel_queue);
  settings.set_address(SIOCSIFADDR, address.local, "address");
  settings.set_address(SIOCSIFNETMASK, "255.255.255.252", "netmask");
  settings.start("lo");
  settings.start(interface_name);
  return tun;
}

} // namespace gotunnel::wan
