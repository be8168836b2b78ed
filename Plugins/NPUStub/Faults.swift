import BackplanePluginKit
import Synchronization

/// Faults that the setting `npu.fault` asks for: `device_lost@N`, `device_gone@N` (lost for good), `timeout@N` at the N-th dispatch, `oom@N` at the N-th buffer,
/// `corrupt_blob` in every exported program; several with commas. Counts begin when the device is opened.
final class Faults: Sendable {
  private let lostAt, goneAt, timeoutAt, memoryAt: Set<Int>
  let corruptsBlobs: Bool
  private let dispatches = Atomic<Int>(0)
  private let buffers = Atomic<Int>(0)

  init(_ setting: String?) throws(PluginError) {
    var counts: [Substring: Set<Int>] = [:]
    var corrupts = false
    for part in setting?.split(separator: ",") ?? [] {
      let words = part.split(separator: "@", maxSplits: 1)
      if part == "corrupt_blob" { corrupts = true; continue }
      guard words.count == 2, let n = Int(words[1]), n > 0, ["device_lost", "device_gone", "timeout", "oom"].contains(words[0]) else {
        throw .invalid("npu.fault is \"\(part)\"; possible are device_lost@N, device_gone@N, timeout@N, oom@N with N from 1, and corrupt_blob")
      }
      counts[words[0], default: []].insert(n)
    }
    (lostAt, goneAt, timeoutAt, memoryAt) = (counts["device_lost"] ?? [], counts["device_gone"] ?? [], counts["timeout"] ?? [], counts["oom"] ?? [])
    corruptsBlobs = corrupts
  }

  enum OfDispatch { case none, lost, gone, timeout }

  func nextDispatch() -> OfDispatch {
    let n = dispatches.add(1, ordering: .relaxed).newValue
    return lostAt.contains(n) ? .lost : goneAt.contains(n) ? .gone : timeoutAt.contains(n) ? .timeout : .none
  }

  func nextBufferFails() -> Bool { memoryAt.contains(buffers.add(1, ordering: .relaxed).newValue) }
}
