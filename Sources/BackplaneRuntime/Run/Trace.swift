import BackplaneABI
import Foundation
import Synchronization

/// What ran when, on which device: spans on the host's monotone clock. Any thread.
///
/// A runtime that has one (``Runtime/Options/trace``) records every program and every move of its sessions, and, where a device has timestamps and a clock
/// that can be related to the host's, what the device says itself. Runs that are recorded allocate.
public final class Trace: Sendable {
  public struct Span: Sendable {
    public enum Kind: String, Sendable { case program, move, deviceClock = "device clock", compile }
    public var name: String
    /// A device's ID.
    public var device: String
    public var kind: Kind
    /// Nanoseconds on the host's monotone clock.
    public var begin, end: UInt64
    public init(name: String, device: String, kind: Kind, begin: UInt64, end: UInt64) {
      (self.name, self.device, self.kind, self.begin, self.end) = (name, device, kind, begin, end)
    }
    public func intersects(_ other: Span) -> Bool { begin < other.end && other.begin < end }
  }
  private let recorded = Mutex<[Span]>([])

  public init() {}

  public func add(_ span: Span) { recorded.withLock { $0.append(span) } }
  /// In the order in which they ended.
  public var spans: [Span] { recorded.withLock { $0 } }

  /// Chrome's trace format, which Perfetto reads too: one row for each device and kind, all on one time axis in microseconds from the first span's begin.
  public var json: String {
    let spans = spans, start = spans.map(\.begin).min() ?? 0
    var rows: [String] = []
    var events: [[String: Any]] = []
    for span in spans {
      let row = span.kind == .program ? span.device : "\(span.device), \(span.kind.rawValue)"
      if !rows.contains(row) {
        rows.append(row)
        events.append(["ph": "M", "name": "thread_name", "pid": 1, "tid": rows.count, "args": ["name": row]])
      }
      events.append(["ph": "X", "name": span.name, "cat": span.kind.rawValue, "pid": 1, "tid": rows.firstIndex(of: row)! + 1,
                     "ts": Double(span.begin - start) / 1000, "dur": Double(span.end - span.begin) / 1000])
    }
    let object: [String: Any] = ["displayTimeUnit": "ns", "traceEvents": events]
    return (try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}
