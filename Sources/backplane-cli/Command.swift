/// One verb of the tool: its help text and what it does.
struct Command: Sendable {
  let name: String
  /// One line for the list of commands.
  let summary: String
  /// Names of the positional arguments, as help shows them; one in brackets is optional.
  let positionals: [String]
  let options: [Option]
  /// Does the work. What it throws becomes one line on stderr and exit code 1.
  let run: @Sendable (Arguments) throws -> ExitCode
}

/// `--name VALUE`, or a switch where `value` is nil.
struct Option: Sendable {
  let name: String
  let value: String?
  let help: String
  init(_ name: String, _ value: String? = nil, _ help: String) {
    self.name = name
    self.value = value
    self.help = help
  }
}

enum ExitCode: Int32, Sendable {
  case success = 0
  /// Something could not be done; stderr says what.
  case failure = 1
  /// The command line is wrong.
  case usage = 2
  /// A check ran to its end and found fault (`verify`, `generate --check`).
  case checkFailed = 3
}

extension Command {
  var help: String {
    let rows = options.map { (["--\($0.name)", $0.value].compactMap { $0 }.joined(separator: " "), $0.help) } + [("--help", "show this text")]
    let width = rows.map(\.0.count).max()! + 2
    let usage = (["backplane", name] + positionals + (options.isEmpty ? [] : ["[options]"])).joined(separator: " ")
    return "\(summary)\n\nusage: \(usage)\n\n" + rows.map { "  " + pad($0.0, width) + $0.1 }.joined(separator: "\n")
  }
}

/// `text` filled with blanks to `width` columns.
func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
/// `text` filled with blanks on the left.
func padLeft(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
