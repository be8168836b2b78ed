import BackplaneABI
import Glibc

public enum LogLevel: UInt32, Sendable, CaseIterable, Comparable {
  case error, warning, info, debug, trace
  public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// Called from any thread, and not to be called back from: no log from inside a handler.
public typealias LogHandler = @Sendable (LogMessage) -> Void

public struct LogMessage: Sendable {
  public var level: LogLevel
  /// Such as "cpu.kernels" or "placement".
  public var category: String
  public var text: String
  public var fields: [(name: String, value: String)]

  public init(level: LogLevel, category: String, text: String, fields: [(name: String, value: String)] = []) {
    self.level = level
    self.category = category
    self.text = text
    self.fields = fields
  }

  /// One line: `backplane: warning: placement: …`.
  public static func writeToStandardError(_ message: LogMessage) {
    let fields = message.fields.map { " \($0.name)=\($0.value)" }.joined()
    let line = Array("backplane: \(message.level): \(message.category): \(message.text)\(fields)\n".utf8)
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
  }
}
