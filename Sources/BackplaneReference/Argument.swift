import BackplaneCore

/// An input of an operator: memory as a caller gave it, or what an earlier operator of a composition made.
struct Argument {
  enum Source {
    case memory(TensorView)
    case computed(ReferenceTensor)
  }
  let source: Source

  init(_ view: TensorView) { source = .memory(view) }
  init(_ tensor: ReferenceTensor) { source = .computed(tensor) }

  var format: ElementFormat { switch source { case .memory(let v): v.format; case .computed(let t): t.format } }
  var shape: [Int] { switch source { case .memory(let v): v.shape; case .computed(let t): t.shape } }
  var count: Int { shape.reduce(1, *) }
  var rowLength: Int { shape.last ?? 1 }
  var rowCount: Int { shape.dropLast().reduce(1, *) }

  /// Every element, row-major.
  func values() -> [Double] { switch source { case .memory(let v): v.decoded(); case .computed(let t): t.values } }

  /// How far each element may be from its value: an earlier operator's error, and a subnormal that a kernel takes as zero.
  func error(_ declared: Declared, of values: [Double]) -> [Double]? {
    var error: [Double]?
    if case .computed(let tensor) = source { error = tensor.error }
    guard declared.flushesSubnormals, format == .f32 || format == .bf16 else { return error }
    return values.indices.map { i in
      let flushed = abs(values[i]) < 0x1p-126 ? abs(values[i]) : 0
      return (error?[i] ?? 0) + flushed
    }
  }

  /// Every element of an integer or bool tensor, row-major.
  func integers() -> [Int64] {
    switch source {
    case .memory(let v): v.integers()
    case .computed(let t): t.values.map { PlainFormat.integer($0) }
    }
  }

  /// Blocks (elements of a plain format) as they are, dense and row-major.
  func bytes() throws(BackplaneError) -> [UInt8] {
    switch source {
    case .memory(let v): v.bytes()
    case .computed(let t): try t.encoded()
    }
  }
}

/// One application of an operator to actual operands.
struct Call {
  struct Output {
    let format: ElementFormat
    let shape: [Int]
    /// False for an optional output that nobody asked for.
    let isWanted: Bool
    var count: Int { shape.reduce(1, *) }
  }

  let inputs: [Argument?]
  /// All of the spec's.
  let attributes: [Attribute]
  let outputs: [Output]
  let declared: Declared
  let wantsBounds: Bool

  func int(_ name: String) -> Int {
    guard case .int(let value)? = value(name) else { preconditionFailure("no int attribute \(name)") }
    return value
  }
  /// Kernels compute in f32, so that is what a float attribute is: the nearest f32.
  func float(_ name: String) -> Double {
    switch value(name) {
    case .float(let value): Double(Float(value))
    case .int(let value): Double(Float(value))
    default: preconditionFailure("no float attribute \(name)")
    }
  }
  /// As given.
  func number(_ name: String) -> Double { if case .float(let value)? = value(name) { value } else { float(name) } }
  /// How far the f32 is from the attribute as given: a kernel may also compute with that.
  func roundingOfAttribute(_ name: String) -> Double {
    guard case .float(let given) = value(name), given.isFinite else { return 0 }
    return abs(given - Double(Float(given)))
  }
  func string(_ name: String) -> String {
    guard case .string(let value)? = value(name) else { preconditionFailure("no string attribute \(name)") }
    return value
  }
  func ints(_ name: String) -> [Int] {
    guard case .ints(let value)? = value(name) else { preconditionFailure("no list attribute \(name)") }
    return value
  }
  private func value(_ name: String) -> AttributeValue? { attributes.first { $0.name == name }?.value }

  /// Input `index`, which the spec demands.
  func input(_ index: Int) -> Argument { inputs[index]! }
  /// Input `index`, nil when it is absent.
  func optional(_ index: Int) -> Argument? { index < inputs.count ? inputs[index] : nil }

  /// An output from values and, when bounds are wanted, each one's error in f32 arithmetic; the rounding to its format comes on top.
  func result(_ values: [Double], output index: Int = 0, own: (Int) -> Double) -> ReferenceTensor {
    let output = outputs[index]
    guard wantsBounds else { return ReferenceTensor(output.format, output.shape, values: values) }
    let bound = OutputBound(output.format, declared)
    return ReferenceTensor(output.format, output.shape, values: values, error: values.indices.map { bound.total(values[$0], own: own($0)) })
  }

  /// An output that every kernel must hit: rounded to its format. An error that came with the inputs stays.
  func exact(_ values: [Double], output index: Int = 0, propagated: [Double]? = nil) -> ReferenceTensor {
    let output = outputs[index]
    let rounded = output.format == .f64 ? values : values.map { PlainFormat.round($0, to: output.format) }
    guard wantsBounds, let propagated else { return ReferenceTensor(output.format, output.shape, values: rounded) }
    let bound = OutputBound(output.format, declared)
    let error = values.indices.map { propagated[$0] == 0 ? 0 : bound.total(values[$0], own: propagated[$0]) }
    return ReferenceTensor(output.format, output.shape, values: rounded, error: error)
  }
}

/// An operator's meaning.
protocol ReferenceOperator: Sendable {
  /// One tensor for each output, nil for one that is not wanted. Shapes and formats have been checked against the spec.
  func evaluate(_ call: Call) throws(BackplaneError) -> [ReferenceTensor?]
}
