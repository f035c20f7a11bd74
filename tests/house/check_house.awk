# The rules of the house, file by file. Called by check_house.sh; prints `path:line: [rule] what to do instead`.
#
# A line is looked at three times: raw (marks of unfinished work, includes), as code (comments and the contents of strings
# removed, so that prose may name what code may not), and, where a file awaits, as a sequence of full expressions.
# The last is a scanner, not a parser: it trusts the layout of .clang-format, where a brace that opens a block follows a
# blank and a brace that builds a value follows its type. Written for mawk, which is what Debian installs.

BEGIN {
  split("base 0 crypto 1 wire 2 net 3 link 4 mux 4 reverse 5 relay 5 proxy 5 exits 5 vpn 5 app 6", words, " ")
  for (i = 1; (i in words); i += 2) floor_of[words[i]] = words[i + 1]
  MAIN = 7
  LONGEST = 400
  found = 0

  # Nothing blocks a worker. These may, in the ways named, because of where they run: at start and in commands (S), on a
  # helper (H), in a process of their own (P), or while all workers stand still on purpose (W).
  may_block["src/base/output.cpp"] = "wait"                     # H: the thread that writes
  may_block["include/gotunnel/base/output.hpp"] = "wait"
  may_block["src/net/directory.cpp"] = "sleep lock sync open file" # S, H
  may_block["include/gotunnel/net/directory.hpp"] = "file"
  may_block["src/net/file.cpp"] = "file open wait"              # S, H
  may_block["include/gotunnel/net/file.hpp"] = "file"
  may_block["src/net/file_worker.cpp"] = "wait"                 # the helper's own, and the end of the process
  may_block["src/net/parcel.cpp"] = "wait"                      # W
  may_block["src/net/standstill.cpp"] = "wait"                  # W
  may_block["src/net/resolver.cpp"] = "name"                    # H: threads that nobody waits for
  may_block["src/link/cert_files.cpp"] = "file"                 # S, H
  may_block["src/reverse/client_identity.cpp"] = "file lock sync" # S
  may_block["src/reverse/server_memory.cpp"] = "open"           # H
  may_block["src/app/config.cpp"] = "file"                      # S
  may_block["src/app/control_socket.cpp"] = "file"              # S
  may_block["src/app/privileges.cpp"] = "file name"             # S
  may_block["src/app/sandbox.cpp"] = "open"                     # S
  may_block["src/app/secret_source.cpp"] = "file"               # S, H
  may_block["src/app/surroundings.cpp"] = "open"                # S
  may_block["src/app/system_call_filter.cpp"] = "lock"          # names what may be called, and calls nothing
  may_block["src/app/service_manager.cpp"] = "wait"             # W: what leaves tells its manager who goes on
}

FNR == 1 {
  if (path != "") end_of_file()
  begin_file(FILENAME)
}

{
  lines++
  if ($0 ~ /(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|X[X]X)([^A-Za-z0-9_]|$)/)
    report(FNR, "unfinished", "finish it, or open an issue; the tree holds no reminders")
  if (kind == "cmake") {
    # Except the headers to be compiled alone, and Go programs, which are folders to their own compiler too.
    line = $0
    sub(/#.*/, "", line)
    if (line ~ /(^|[^A-Za-z0-9_])GLOB(_RECURSE)?([^A-Za-z0-9_]|$)/ &&
        path !~ /(^|\/)cmake\/headers\.cmake$/ && line !~ /\*\.go/)
      report(FNR, "glob", "list the sources: a globbed file is built or forgotten by accident")
  }
  if (kind == "cpp") {
    code = strip($0)
    if (code ~ /^[ \t]*#[ \t]*include/) check_include($0)
    check_tokens(code)
    if (part == "src" || part == "include") check_blocking(code)
    text[FNR] = code
    if (code ~ /(^|[^A-Za-z0-9_])co_await([^A-Za-z0-9_]|$)/) awaits = 1
  }
}

END {
  if (path != "") end_of_file()
  exit found > 0
}

function report(line, rule, what) {
  printf "%s:%d: [%s] %s\n", path, line, rule, what
  found++
}

# Where a file lives decides which rules hold in it.
function begin_file(name,    parts, n, i) {
  path = name
  sub(/^\.\//, "", path)
  lines = 0; awaits = 0; comment = 0; raw_end = ""
  kind = path ~ /\.(cpp|hpp)$/ ? "cpp" : (path ~ /(CMakeLists\.txt|\.cmake)$/ ? "cmake" : "script")
  n = split(path, parts, "/")
  part = parts[1]; room = ""
  if (part == "include" && n > 3) room = parts[3]
  if ((part == "src" || part == "tests") && n > 2) room = parts[2]
  is_main = path == "src/main.cpp"
  floor = is_main ? MAIN : (room in floor_of ? floor_of[room] : -1)
  if (kind == "cpp" && floor < 0 && (part == "src" || part == "include"))
    report(1, "room", "this file is in no room of the house; see src/README.md")
}

function end_of_file() {
  if (kind == "cpp" && lines > LONGEST) report(LONGEST + 1, "length", lines " lines; a file has one noun and stops at " LONGEST)
  if (kind == "cpp" && awaits) check_awaits()
}

# Removes comments, and leaves strings and characters as empty quotes.
function strip(s,    out, at, c, end, delim) {
  out = ""
  while (s != "") {
    if (comment) {
      end = index(s, "*/")
      if (!end) return out
      comment = 0; s = substr(s, end + 2); out = out " "
      continue
    }
    if (raw_end != "") {
      end = index(s, raw_end)
      if (!end) return out
      s = substr(s, end + length(raw_end)); raw_end = ""; out = out "\""
      continue
    }
    if (!match(s, /["'\/]/)) return out s
    at = RSTART
    out = out substr(s, 1, at - 1)
    c = substr(s, at, 1)
    s = substr(s, at)
    if (c == "/") {
      if (substr(s, 1, 2) == "//") return out
      if (substr(s, 1, 2) == "/*") { comment = 1; s = substr(s, 3) }
      else { out = out c; s = substr(s, 2) }
    } else if (c == "'" && out ~ /[0-9a-fA-F]$/ && s ~ /^'[0-9a-fA-F]/) {
      s = substr(s, 2) # a digit separator
    } else if (c == "\"" && out ~ /R$/) {
      delim = substr(s, 2, index(s, "(") - 2)
      raw_end = ")" delim "\""
      out = out "\""; s = substr(s, length(delim) + 3)
    } else {
      end = c == "'" ? match(s, /^'([^'\\]|\\.)*'/) : match(s, /^"([^"\\]|\\.)*"/)
      if (!end) return out s
      out = out c c; s = substr(s, RLENGTH + 1)
    }
  }
  return out
}

function check_include(line,    target, theirs, parts, n) {
  if (!match(line, /[<"][^>"]*[>"]/)) return
  target = substr(line, RSTART + 1, RLENGTH - 2)
  if (target ~ /^boost\/log\// && path != "src/base/log.cpp")
    report(FNR, "boost-log", "Boost.Log stays inside src/base/log.cpp; call gotunnel/base/log.hpp")
  if (target ~ /^boost\/asio/ && room in floor_of && floor < 3)
    report(FNR, "asio", "floors 0 to 2 are sans-IO; Asio begins at net/")
  if (target ~ /^openssl\// && part != "tests" && part != "bench" && room != "crypto")
    report(FNR, "openssl", "OpenSSL stays inside crypto/; use its headers")
  if (part == "tests") return

  n = split(target, parts, "/")
  theirs = parts[1] == "gotunnel" ? parts[2] : (n > 1 && parts[1] in floor_of ? parts[1] : "")
  if (theirs == "" || theirs == room || is_main || floor < 0) return
  if (!(theirs in floor_of)) report(FNR, "arrow", target " is in no room of the house")
  else if (floor_of[theirs] == floor) report(FNR, "arrow", room "/ and " theirs "/ are on one floor and do not know each other")
  else if (floor_of[theirs] > floor) report(FNR, "arrow", room "/ is below " theirs "/; arrows only point down")
}

function check_tokens(code) {
  if (code ~ /(^|[^A-Za-z0-9_])detached([^A-Za-z0-9_]|$)/)
    report(FNR, "detached", "a task belongs to a task group that its owner joins")
  if (code ~ /awaitable_operators/)
    report(FNR, "awaitable-operators", "14 allocations a wait; use net/deadline or a task group")
  if (code ~ /experimental::(basic_|concurrent_)?channel|experimental\/(basic_|concurrent_)?channel/)
    report(FNR, "channel", "Boost 1.81 loses what a closed channel holds; use a queue and a timer")
  if (code ~ /(^|[^A-Za-z0-9_])auto *&?&? *\[[^]]*socket/)
    report(FNR, "socket-binding", "newer compilers leak it; name the tuple, then bind references")
  if (code ~ /(::now *\()|(clock_gettime|gettimeofday|std::time) *\(/ && part != "tests" && room in floor_of && floor < 3 &&
      path !~ /^src\/base\/(log|output)\.cpp$/)
    report(FNR, "clock", "floors 0 to 2 read no clock; take `now` as an argument")
  # A fixed span is right where it is the thing measured, or the pace of a load: the line then says "not a wait".
  if (part == "tests" && code ~ /this_thread::sleep_(for|until)|(^|[^A-Za-z0-9_])(usleep|nanosleep) *\(/ && $0 !~ /\/\/.*not a wait/)
    report(FNR, "sleep", "wait for the event, with a deadline")
}

# What may take longer than some milliseconds, and is no coroutine.
function check_blocking(code) {
  if (code ~ /^[ \t]*#/) return
  if (code ~ /this_thread::sleep_|(^|[^A-Za-z0-9_])(usleep|nanosleep|::sleep) *\(/)
    blocks("sleep", "co_await net::sleep_for()")
  if (code ~ /(^|[^A-Za-z0-9_])(flock|lockf) *\(|F_(OFD_)?SETLKW/)
    blocks("lock", "lock a net/directory, on a net/file_worker")
  if (code ~ /(^|[^A-Za-z0-9_])(fsync|fdatasync|syncfs) *\(/)
    blocks("sync", "write in a net/directory, on a net/file_worker")
  if (code ~ /(^|[^A-Za-z0-9_])(fopen|::open|::openat|::creat) *\(|std::[io]?fstream/)
    blocks("open", "use net/file or net/directory, on a net/file_worker")
  if (code ~ /(^|[^A-Za-z0-9_])(net::)?(read_(file|stream) *\(|directory::open)/)
    blocks("file", "run it on a net/file_worker")
  if (code ~ /getaddrinfo|getnameinfo|gethostby|getpw(nam|uid)|getgr(nam|gid)|(\.|->)resolve *\(/)
    blocks("name", "ask net/resolver")
  if (code ~ /condition_variable|std::(promise|future|async)[^A-Za-z0-9_]|(^|[^A-Za-z0-9_])(waitpid|::wait|::select) *\(/ ||
      code ~ /(^|[^A-Za-z0-9_])p?poll *\(&/ && code !~ /, *0\)/)
    blocks("wait", "co_await a net/signal, or net/ask the other worker")
}

function blocks(kind, instead) {
  if (path in may_block && index(" " may_block[path] " ", " " kind " ")) return
  report(FNR, "blocking", "this can hold a worker up; " instead)
}

# --- full expressions -------------------------------------------------------------------------------------------------
#
# g++ 12 destroys twice what a by-value lambda or an aggregate holds when it is a temporary of an expression that awaits,
# and jumps astray when a condition awaits. A frame `f` is one block: `kinds[f]` its open brackets, and what its current
# full expression has shown so far. A lambda's body is a frame of its own, so its awaits are not its maker's.

function check_awaits(    all, ch, n, i, c, l, before, gap, word, in_word, directive, goes_on, j) {
  # One array of characters with their lines; directives are dropped, their braces need not balance.
  n = 0
  for (l = 1; l <= lines; l++) {
    directive = goes_on || text[l] ~ /^[ \t]*#/
    goes_on = directive && text[l] ~ /\\$/
    if (directive) continue
    split(text[l] "\n", ch, "")
    for (j = 1; j in ch && j <= length(text[l]) + 1; j++) { n++; chars[n] = ch[j]; line_of[n] = l }
  }
  chars[n + 1] = ""

  f = 0; open_frame(0)
  before = ";"; gap = 1; word = ""; in_word = 0
  for (i = 1; i <= n; i++) {
    c = chars[i]
    if (c ~ /[A-Za-z0-9_]/) {
      if (!in_word) word = ""
      word = word c; in_word = 1
      if (chars[i + 1] !~ /[A-Za-z0-9_]/ && word == "co_await") saw_await(line_of[i])
      before = c; gap = 0
      continue
    }
    in_word = 0
    if (c ~ /[ \t\n]/) { gap = 1; continue }
    if (c == "(") {
      if (before ~ /[a-z]/ && word ~ /^(if|while|for|switch)$/ && !cond_depth[f]) {
        finish(); cond_depth[f] = length(kinds[f]) + 1; cond_word[f] = word; cond_part[f] = 1; cond_await[f] = 0
      }
      kinds[f] = kinds[f] "("
    } else if (c == "[") {
      if (is_lambda(before, word, chars[i + 1])) { pending[f] = length(kinds[f]); if (by_value(i)) lambda[f] = 1 }
      kinds[f] = kinds[f] "["
    } else if (c == "{") {
      if (pending[f] == length(kinds[f])) { pending[f] = -2; open_frame(1) }
      else if (length(kinds[f]) || !gap && before ~ /[A-Za-z0-9_>\]]/ || before ~ /[=,]/ ||
               before ~ /[a-z]/ && word ~ /^(return|co_return|co_yield|co_await)$/) {
        kinds[f] = kinds[f] "{"; braces[f] = 1
      } else { finish(); open_frame(0) }
    } else if (c == ")" || c == "]") {
      if (cond_depth[f] && length(kinds[f]) == cond_depth[f]) end_condition()
      if (kinds[f] != "") kinds[f] = substr(kinds[f], 1, length(kinds[f]) - 1)
    } else if (c == "}") {
      if (kinds[f] ~ /\{$/) kinds[f] = substr(kinds[f], 1, length(kinds[f]) - 1)
      else { finish(); if (f > 1 && lambda_body[f--] == 0) finish() }
    } else if (c == ";") {
      if (cond_depth[f] && length(kinds[f]) == cond_depth[f]) end_of_part()
      finish()
    }
    before = c; gap = 0
    if (c != "&") word = ""
  }
}

function open_frame(of_lambda) {
  f++
  lambda_body[f] = of_lambda
  kinds[f] = ""; pending[f] = -2; cond_depth[f] = 0
  await[f] = 0; lambda[f] = 0; braces[f] = 0
}

function saw_await(line) {
  if (!await[f]) await[f] = line
  if (cond_depth[f]) cond_await[f] = line
}

# The end of a full expression.
function finish() {
  if (await[f] && lambda[f]) report(await[f], "await-lambda", "a lambda that captures by value is destroyed twice here; name it first")
  if (await[f] && braces[f]) report(await[f], "await-braces", "what braces build is destroyed twice here; name it first")
  await[f] = 0; lambda[f] = 0; braces[f] = 0; pending[f] = -2
}

# `if (auto r = co_await f(); !r)` names its result before it is asked, and so does the first part of a `for`.
function end_of_part() {
  if (cond_part[f] > 1 || cond_word[f] == "while") blame_condition()
  cond_part[f]++; cond_await[f] = 0
}

function end_condition() {
  if (cond_word[f] != "for" || cond_part[f] > 1) blame_condition()
  finish(); cond_depth[f] = 0
}

function blame_condition() {
  if (cond_await[f]) report(cond_await[f], "await-condition", "name the result first: a condition that awaits takes the wrong branch")
}

function is_lambda(before, word, following) {
  if (following == "[" || before == "[") return 0 # an attribute
  if (before == "]" || before == ")" || before == "\"") return 0
  if (word == "auto") return 0 # a structured binding
  if (before ~ /[A-Za-z0-9_]/) return word ~ /^(return|co_return|co_await|co_yield)$/
  return 1
}

function by_value(i,    depth, captures, c, parts, n, k) {
  depth = 1; captures = ""
  for (i++; i in chars; i++) {
    c = chars[i]
    if (c ~ /[[({]/) depth++
    if (c ~ /[])}]/ && --depth == 0) break
    if (depth == 1) captures = captures c
  }
  n = split(captures, parts, ",")
  for (k = 1; k <= n; k++) {
    gsub(/[ \t\n]/, "", parts[k])
    if (parts[k] != "" && parts[k] != "this" && parts[k] !~ /^&/) return 1
  }
  return 0
}
