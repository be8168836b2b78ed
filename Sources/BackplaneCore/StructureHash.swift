extension Graph {
  /// The same in every process for graphs of the same structure. Names of tensors and symbols do not count, symbols' numbers and
  /// bounds do.
  public var structureHash: UInt64 {
    var hash = StableHash()
    hash.add(tensors.count)
    for tensor in tensors {
      hash.add(tensor.format.id.value)
      hash.add(tensor.role.rawValue)
      hash.add(tensor.layout)
      hash.add(tensor.shape.rank)
      for dimension in tensor.shape.dimensions {
        switch dimension {
        case .fixed(let n): hash.add(n)
        case .symbol(let s):
          hash.add(-1 - Int(s.number))
          hash.add(s.bounds.lowerBound)
          hash.add(s.bounds.upperBound)
        }
      }
    }
    hash.add(nodes.count)
    for node in nodes {
      hash.add(node.op)
      hash.add(node.version)
      hash.add(node.numerics.rawValue)
      hash.add(node.inputs)
      hash.add(node.outputs)
      hash.add(node.attributes.count)
      for attribute in node.attributes {
        hash.add(attribute.name)
        hash.add(attribute.value)
      }
    }
    for list in [inputs, constants, states, outputs] { hash.add(list) }
    return hash.value
  }
}

/// A hash that is the same in every process, unlike `Hasher`. Each list and string goes in with its length, so that neighbours
/// cannot run together.
private struct StableHash {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add(_ word: UInt64) {
    value = (value ^ word) &* 0x9e37_79b9_7f4a_7c15
    value ^= value >> 32
  }
  mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }
  mutating func add(_ text: String) { add(Identifier(text).value) }
  mutating func add(_ ids: [TensorID?]) {
    add(ids.count)
    for id in ids { add(id?.index ?? -1) }
  }
  mutating func add(_ value: AttributeValue) {
    switch value {
    case .int(let i): add(1); add(i)
    case .float(let f): add(2); add(f.bitPattern)
    case .string(let s): add(3); add(s)
    case .ints(let v):
      add(4)
      add(v.count)
      for i in v { add(i) }
    case .floats(let v):
      add(5)
      add(v.count)
      for f in v { add(f.bitPattern) }
    }
  }
}
