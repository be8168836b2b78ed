/// A wrong command line: what, and what would be right.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A command's arguments, checked against its options.
struct Arguments: Sendable {
  private(set) var positionals: [String] = []
  private var values: [String: [String]] = [:]
  private var switches: Set<String> = []
  private let command: Command

  /// - Throws: ``UsageError`` for an unknown option, a missing value, or a wrong number of positionals.
  init(_ words: [String], for command: Command) throws {
    self.command = command
    var rest = words[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("--"), word != "--" else {
        if word == "--" { positionals += rest; break }
        positionals.append(word)
        continue
      }
      let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      guard let option = command.options.first(where: { $0.name == parts[0] }) else {
        let near = command.options.map(\.name).min { distance($0, parts[0]) < distance($1, parts[0]) }
        let hint = near.flatMap { distance($0, parts[0]) <= 3 ? "; did you mean --\($0)?" : nil } ?? ""
        throw UsageError("\(command.name) has no option --\(parts[0])\(hint)")
      }
      if option.value == nil {
        if parts.count > 1 { throw UsageError("--\(option.name) is a switch and takes no value") }
        switches.insert(option.name)
      } else {
        guard let value = parts.count > 1 ? parts[1] : rest.popFirst() else {
          throw UsageError("--\(option.name) needs a value: --\(option.name) \(option.value!)")
        }
        values[option.name, default: []].append(value)
      }
    }
    let required = command.positionals.filter { !$0.hasPrefix("[") }.count
    if positionals.count < required { throw UsageError("\(command.name) needs \(command.positionals[positionals.count])") }
    // `[…]` at the end stands for as many as there are.
    if positionals.count > command.positionals.count, command.positionals.last != "[…]" { throw UsageError("unexpected argument '\(positionals[command.positionals.count])'") }
  }

  /// Whether the command has such an option at all.
  func declares(_ option: String) -> Bool { command.options.contains { $0.name == option } }
  subscript(option: String) -> String? { values[option]?.last }
  func all(_ option: String) -> [String] { values[option] ?? [] }
  func has(_ name: String) -> Bool { switches.contains(name) }

  /// - Throws: ``UsageError`` unless the value is a whole number in `range`.
  func int(_ option: String, _ range: ClosedRange<Int>) throws -> Int? {
    guard let text = self[option] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      let limit = range.upperBound == .max ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
      throw UsageError("--\(option) takes a whole number, \(limit), not '\(text)'")
    }
    return value
  }

  func double(_ option: String, _ range: ClosedRange<Double>) throws -> Double? {
    guard let text = self[option] else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw UsageError("--\(option) takes a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return value
  }
}

/// Edits that turn one word into the other (Levenshtein).
func distance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var row = Array(0...b.count)
  for i in a.indices {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
