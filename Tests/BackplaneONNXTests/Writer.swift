/// Writes protocol buffers, as little as tests of a reader need.
struct Message {
  var bytes: [UInt8] = []

  static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes): (UInt64, [UInt8]) = (value, [])
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
  mutating func key(_ field: Int, _ wire: UInt64) { bytes += Message.varint(UInt64(field) << 3 | wire) }

  mutating func int(_ field: Int, _ value: Int) {
    key(field, 0)
    bytes += Message.varint(UInt64(bitPattern: Int64(value)))
  }
  mutating func float(_ field: Int, _ value: Float) {
    key(field, 5)
    bytes += withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
  }
  mutating func data(_ field: Int, _ value: [UInt8]) {
    key(field, 2)
    bytes += Message.varint(UInt64(value.count)) + value
  }
  mutating func text(_ field: Int, _ value: String) { data(field, Array(value.utf8)) }
  mutating func message(_ field: Int, _ value: Message) { data(field, value.bytes) }
  mutating func message(_ field: Int, _ write: (inout Message) -> Void) { message(field, Message(write)) }

  init(_ write: (inout Message) -> Void = { _ in }) { write(&self) }
}

/// The messages of an ONNX file.
enum Onnx {
  static func tensor(_ name: String, _ type: Int, _ shape: [Int], raw: [UInt8]? = nil, _ more: (inout Message) -> Void = { _ in }) -> Message {
    Message { t in
      for extent in shape { t.int(1, extent) }
      t.int(2, type)
      t.text(8, name)
      if let raw { t.data(9, raw) }
      more(&t)
    }
  }
  static func floats(_ name: String, _ shape: [Int], _ values: [Float]) -> Message {
    tensor(name, 1, shape, raw: values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } })
  }
  static func ints(_ name: String, _ shape: [Int], _ values: [Int64]) -> Message {
    tensor(name, 7, shape, raw: values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } })
  }

  static func value(_ name: String, _ type: Int, _ shape: [Int]) -> Message {
    Message { v in
      v.text(1, name)
      v.message(2) { $0.message(1) { t in
        t.int(1, type)
        t.message(2) { s in for extent in shape { s.message(1) { $0.int(1, extent) } } }
      } }
    }
  }

  static func node(_ op: String, _ inputs: [String], _ outputs: [String], ints: [String: Int] = [:], floats: [String: Float] = [:], domain: String = "") -> Message {
    Message { n in
      for input in inputs { n.text(1, input) }
      for output in outputs { n.text(2, output) }
      n.text(4, op)
      if !domain.isEmpty { n.text(7, domain) }
      for (name, value) in ints.sorted(by: { $0.key < $1.key }) {
        n.message(5) { a in
          a.text(1, name)
          a.int(3, value)
          a.int(20, 2)
        }
      }
      for (name, value) in floats.sorted(by: { $0.key < $1.key }) {
        n.message(5) { a in
          a.text(1, name)
          a.float(2, value)
          a.int(20, 1)
        }
      }
    }
  }

  static func model(_ nodes: [Message], inputs: [Message], outputs: [Message], initializers: [Message] = [], opset: Int = 23) -> Message {
    Message { m in
      m.int(1, 10)
      m.text(2, "test")
      m.message(7) { g in
        for node in nodes { g.message(1, node) }
        g.text(2, "graph")
        for tensor in initializers { g.message(5, tensor) }
        for input in inputs { g.message(11, input) }
        for output in outputs { g.message(12, output) }
      }
      m.message(8) { $0.int(2, opset) }
    }
  }
}
