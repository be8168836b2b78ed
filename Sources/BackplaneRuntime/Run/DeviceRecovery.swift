import BackplaneCore
import BackplaneRegistry
import Foundation
import Synchronization

/// Holds programs or memory of devices.
protocol DeviceChild: AnyObject, Sendable {
  /// Destroys all that it holds of a device that was lost. Waits for what still runs there, which fails soon.
  func release(_ device: Device)
}

/// Brings lost devices back: every child is destroyed, the device is reset; who held something makes it again when it next runs,
/// programs from the blob store, weights from the model file. Any thread.
public final class DeviceRecovery: Sendable {
  public struct Event: Sendable {
    public var device: String
    /// What the device said.
    public var fault: String
    /// It did not answer in time, and was asked again.
    public var isTimeout = false
    /// False when `reset` failed: the device cannot be used any more.
    public var isBack: Bool
    public var nanoseconds: UInt64
  }

  private struct Weak: @unchecked Sendable { weak var child: (any DeviceChild)? }
  private let children = Mutex<[Weak]>([])
  private let recorded = Mutex<[Event]>([])
  /// One recovery at a time.
  private let lock = NSLock()
  private let host: PluginHost

  init(_ host: PluginHost) { self.host = host }

  /// All that happened, in order.
  public var events: [Event] { recorded.withLock { $0 } }

  func watch(_ child: any DeviceChild) {
    children.withLock {
      $0.removeAll { $0.child == nil }
      $0.append(Weak(child: child))
    }
  }

  /// Whether the device says of itself that it is lost.
  public func isLost(_ device: Device) -> Bool {
    do throws(BackplaneError) {
      _ = try device.makeBuffer(byteCount: 64, usage: .staging)
      return false
    } catch { return error.kind == .deviceLost }
  }

  func noteTimeout(_ fault: BackplaneError) {
    let device = fault.subject ?? "a device"
    recorded.withLock { $0.append(Event(device: device, fault: fault.message, isTimeout: true, isBack: true, nanoseconds: 0)) }
    host.log(LogMessage(level: .warning, category: "recovery", text: "\(device) did not answer in time (\(fault.message)); the run is repeated"))
  }

  /// Call without holding anything of the devices.
  ///
  /// - Throws: `fault` when no device is lost; (device lost) when one cannot be reset.
  func recover(from fault: BackplaneError, _ devices: [Device]) throws(BackplaneError) {
    lock.lock()
    defer { lock.unlock() }
    for device in devices where isLost(device) {
      let begin = monotonicNanoseconds()
      for child in children.withLock({ $0.compactMap(\.child) }) { child.release(device) }
      var failure: BackplaneError?
      do throws(BackplaneError) { try device.reset() } catch { failure = error }
      let event = Event(device: device.id, fault: fault.message, isBack: failure == nil, nanoseconds: monotonicNanoseconds() - begin)
      recorded.withLock { $0.append(event) }
      if let failure {
        host.log(LogMessage(level: .warning, category: "recovery", text: "\(device.id) was lost and cannot be reset: \(failure.message)"))
        throw BackplaneError(.deviceLost, "the device was lost (\(fault.message)), and reset failed: \(failure.message)", subject: device.id,
                             hint: "run without this device")
      }
      host.log(LogMessage(level: .warning, category: "recovery", text: "\(device.id) was lost and reset; programs and weights are loaded again"))
    }
  }
}
