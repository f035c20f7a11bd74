// What a client remembers of its server beyond one run: that it has spoken the native protocol.
//
//   const server_memory memory(state_directory, pin_of_the_ca);
//   if (memory.native()) ...;   const std::string why_not = memory.remember_native();
//
// One file a CA, named by its pin; that it exists is all that counts, so a crash leaves it or does not. It
// holds a sentence for people, who may remove it. The server's name is no part of it: the same server under
// another name, or a new address, is still not to be believed when it speaks the original protocol.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gotunnel::reverse {

class server_memory {
public:
  /// `pin` is normalized (crypto::normalize_pin).
  server_memory(const std::filesystem::path& state_directory, std::string_view pin);

  [[nodiscard]] bool native() const;
  /// Empty when it is remembered, else why not.
  [[nodiscard]] std::string remember_native() const;
  [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

private:
  std::filesystem::path file_;
};

} // namespace gotunnel::reverse
