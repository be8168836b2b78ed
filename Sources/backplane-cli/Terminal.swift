import Foundation

/// What the tool prints: text on stdout, everything about it on stderr, colour only where a person looks.
enum Terminal {
  static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
  static let errorIsTerminal = isatty(STDERR_FILENO) == 1
  private static let colours = ProcessInfo.processInfo.environment["NO_COLOR"] == nil && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  enum Colour: String { case red = "31", green = "32", yellow = "33", dim = "2", bold = "1" }

  static func paint(_ text: String, _ colour: Colour, onError: Bool = false) -> String {
    colours && (onError ? errorIsTerminal : outputIsTerminal) ? "\u{1b}[\(colour.rawValue)m\(text)\u{1b}[0m" : text
  }

  /// Writes bytes to stdout at once: streamed text must not wait in a buffer.
  static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
  static func writeError(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  /// One line that overwrites itself while long work goes on; nothing in a pipe. An empty text clears it.
  static func progress(_ text: String) { if errorIsTerminal { writeError("\r\u{1b}[K\(text)") } }

  /// One JSON object on one line, keys sorted.
  static func json(_ object: Any, pretty: Bool = false) throws -> String {
    var options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { options.insert(.prettyPrinted) }
    return String(decoding: try JSONSerialization.data(withJSONObject: object, options: options), as: UTF8.self)
  }

  /// `246587904` → `246.6 MB`.
  static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(count), 0)
    while value >= 1000, unit + 1 < units.count { (value, unit) = (value / 1000, unit + 1) }
    return unit == 0 ? "\(count) B" : "\(rounded(value, value < 10 ? 2 : 1)) \(units[unit])"
  }

  static func rounded(_ value: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", value) }
}
