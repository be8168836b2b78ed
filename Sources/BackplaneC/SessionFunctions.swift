import Backplane
import BackplaneCHeader
import Foundation

@c @implementation public func bp_session_create(_ compiled: bp_compiled?, _ session: UnsafeMutablePointer<bp_session?>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let session = try place(session, "session")
    session.pointee = try HandleTable.shared.insert(SessionObject(HandleTable.shared.object(compiled, "compiled")))
    return BP_OK
  }
}

/// A call that has the session to itself.
private func with(_ session: bp_session?, _ failure: UnsafeMutablePointer<bp_failure>?, _ body: (SessionObject) throws -> Void) -> Int32 {
  answer(failure) {
    let object = try SessionObject.object(session)
    try object.turnstile.pass("session") { try body(object) }
    return BP_OK
  }
}

@c @implementation public func bp_session_write(_ session: bp_session?, _ tensor: UInt32, _ source: UnsafeRawPointer?, _ byteCount: Int,
                                                _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) { try $0.write(tensor, bytes(source, byteCount, "bytes")) }
}

@c @implementation public func bp_session_read(_ session: bp_session?, _ tensor: UInt32, _ target: UnsafeMutableRawPointer?, _ byteCount: Int,
                                               _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) { try $0.read(tensor, UnsafeMutableRawBufferPointer(mutating: bytes(target, byteCount, "bytes"))) }
}

@c @implementation public func bp_session_bind(_ session: bp_session?, _ tensor: UInt32, _ memory: UnsafeMutableRawPointer?, _ byteCount: Int,
                                               _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) { try $0.bind(tensor, memory, byteCount) }
}

@c @implementation public func bp_session_address(_ session: bp_session?, _ tensor: UInt32, _ memory: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
                                                  _ byteCount: UnsafeMutablePointer<Int>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) {
    let memory = try place(memory, "memory")
    let found = try $0.address(tensor)
    memory.pointee = found.baseAddress
    byteCount?.pointee = found.count
  }
}

@c @implementation public func bp_session_size(_ session: bp_session?, _ tensor: UInt32, _ byteCount: UnsafeMutablePointer<Int>?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) { try place(byteCount, "byte_count").pointee = $0.byteCount(tensor) }
}

@c @implementation public func bp_session_reset(_ session: bp_session?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) { try $0.reset() }
}

@c @implementation public func bp_session_run(_ session: bp_session?, _ symbols: UnsafePointer<Int64>?, _ symbolCount: UInt32, _ options: UnsafePointer<bp_run_options>?,
                                              _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  with(session, failure) { try $0.run($0.values(array(symbols, symbolCount, "symbols")), RunOptions(options)) }
}

@c @implementation public func bp_session_run_async(_ session: bp_session?, _ symbols: UnsafePointer<Int64>?, _ symbolCount: UInt32, _ options: UnsafePointer<bp_run_options>?,
                                                    _ done: bp_done_fn?, _ user: UnsafeMutableRawPointer?, _ failure: UnsafeMutablePointer<bp_failure>?) -> Int32 {
  answer(failure) {
    let object = try SessionObject.object(session)
    guard let done else { throw BackplaneError(.invalid, "done is NULL: nobody would learn of the end") }
    let values = try object.values(array(symbols, symbolCount, "symbols"))
    let options = try RunOptions(options)
    try object.turnstile.enter("session")
    let foreign = Foreign((done: done, user: user))
    Thread.detachNewThread {
      var failure = bp_failure()
      failure.struct_size = UInt32(MemoryLayout<bp_failure>.size)
      let status = answer(&failure) {
        defer { object.turnstile.leave() }
        try object.run(values, options)
        return BP_OK
      }
      let (done, user) = foreign.value
      if status == BP_OK { done(user, status, nil) } else { done(user, status, &failure) }
    }
    return BP_OK
  }
}
