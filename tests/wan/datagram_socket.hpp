// A UDP socket at one end of a line, whose datagrams are numbers.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace gotunnel::testing {

class datagram_socket {
public:
  /// In the network that this thread is in.
  datagram_socket(const std::string& local_ip, const std::string& peer_ip);
  datagram_socket(const datagram_socket&) = delete;
  datagram_socket& operator=(const datagram_socket&) = delete;
  ~datagram_socket();

  /// `size` bytes of payload, 28 more on the line.
  void send(int number, std::size_t size = sizeof(int)) const;
  /// The next number; nothing when none comes in time.
  [[nodiscard]] std::optional<int> receive(std::chrono::milliseconds limit) const;

private:
  int descriptor_ = -1;
};

} // namespace gotunnel::testing
