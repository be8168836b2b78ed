import Backplane
import Synchronization

/// The objects behind the handles that the application holds.
///
/// A handle is the number of a slot and of the slot's use, never an address: what is freed, of another kind or made up is found out, also while
/// other threads free it. A call holds the object that it found, so freeing a handle ends nothing that is at work. This table is the one global of
/// the library: handles say nothing of whose they are.
final class HandleTable: Sendable {
  static let shared = HandleTable()

  private struct Slot {
    var use: UInt32 = 0
    var object: (any AnyObject & Sendable)?
  }
  private struct State {
    var slots: [Slot] = []
    var free: [Int] = []
  }
  private let state = Mutex(State())
  /// Bits of the slot's number in a handle.
  private static let slotBits = 28

  var count: Int { state.withLock { $0.slots.count - $0.free.count } }

  func insert(_ object: any AnyObject & Sendable) throws(BackplaneError) -> OpaquePointer {
    let handle = state.withLock { state -> OpaquePointer? in
      if state.free.isEmpty {
        guard state.slots.count < 1 << HandleTable.slotBits else { return nil }
        state.free.append(state.slots.count)
        state.slots.append(Slot())
      }
      let index = state.free.removeLast()
      state.slots[index].use &+= 1
      if state.slots[index].use == 0 { state.slots[index].use = 1 }
      state.slots[index].object = object
      return OpaquePointer(bitPattern: UInt(state.slots[index].use) << HandleTable.slotBits | UInt(index))
    }
    guard let handle else { throw BackplaneError(.outOfHostMemory, "there are too many handles", hint: "give those that are no longer used to bp_free") }
    return handle
  }

  private static func index(_ bits: UInt, _ state: borrowing State) -> Int? {
    let index = Int(bits & (1 << slotBits - 1))
    guard state.slots.indices.contains(index), UInt(state.slots[index].use) == bits >> slotBits, state.slots[index].object != nil else { return nil }
    return index
  }

  /// - Parameter name: Of the argument.
  func object<T: AnyObject>(_ handle: OpaquePointer?, _ name: StaticString, as type: T.Type = T.self) throws(BackplaneError) -> T {
    let found = state.withLock { state in HandleTable.index(UInt(bitPattern: handle), state).flatMap { state.slots[$0].object } }
    if let object = found as? T { return object }
    guard let handle else { throw BackplaneError(.invalid, "\(name) is NULL") }
    throw BackplaneError(.invalid, "\(name) is 0x\(String(UInt(bitPattern: handle), radix: 16)), which is no live handle of its kind",
                         hint: "was it freed, or never set?")
  }

  func remove(_ handle: OpaquePointer) throws(BackplaneError) {
    let removed = state.withLock { state -> (any AnyObject & Sendable)? in
      guard let index = HandleTable.index(UInt(bitPattern: handle), state) else { return nil }
      defer { state.slots[index].object = nil }
      state.free.append(index)
      return state.slots[index].object
    }
    guard removed != nil else { throw BackplaneError(.invalid, "0x\(String(UInt(bitPattern: handle), radix: 16)) is no live handle", hint: "was it freed before?") }
    withExtendedLifetime(removed) {}  // destroyed here, without the lock
  }
}

/// Lets one call at a time in.
struct Turnstile: ~Copyable, Sendable {
  private let isTaken = Atomic<Bool>(false)

  struct Busy: Error { let what: StaticString }

  func enter(_ what: StaticString) throws {
    if isTaken.exchange(true, ordering: .acquiring) { throw Busy(what: what) }
  }
  func leave() { isTaken.store(false, ordering: .releasing) }

  func pass<R>(_ what: StaticString, _ body: () throws -> R) throws -> R {
    try enter(what)
    defer { leave() }
    return try body()
  }
}
