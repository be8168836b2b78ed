import BackplaneCore
import BackplaneSpecs

/// What may vary in an operator's cases, each as a list of levels, and the case behind one choice of levels.
///
/// Everything comes from the spec: formats, optional operands, attributes' values, extents by name, and its `conformance` section.
struct ShapeGenerator {
  enum Factor {
    case format(input: Int, [ElementFormat])
    case presence(input: Int)
    case wanted(output: String)
    case extent(String, [Int])
    case leading([[Int]])
    /// How a broadcast operand differs from the others: not, without leading extents, or with the first or last of them 1.
    case broadcast(input: Int)
    case shapes([[[Int]]])
    case attribute(String, [AttributeValue])
    case data([String])
    case memory([CaseID.Memory])

    var levelCount: Int {
      switch self {
      case .format(_, let levels): levels.count
      case .presence, .wanted: 2
      case .extent(_, let levels): levels.count
      case .leading(let levels): levels.count
      case .broadcast: 4
      case .shapes(let levels): levels.count
      case .attribute(_, let levels): levels.count
      case .data(let levels): levels.count
      case .memory(let levels): levels.count
      }
    }
  }

  let spec: OperatorSpec
  let factors: [Factor]

  /// The factor that a spec's `cross` calls `name`.
  func factor(named name: String) -> Int? {
    factors.firstIndex { factor in
      switch factor {
      case .format(let k, _): spec.inputs[k].name == name
      case .attribute(let attribute, _): attribute == name
      case .data: name == "data"
      case .memory: name == "mem"
      default: false
      }
    }
  }

  /// Around the widths of vectors and tiles, primes, and one that is long.
  static let usualExtents = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 257]
  static let wholeShapes = [[7], [], [1], [16], [33], [3, 5], [17, 1], [2, 3, 4], [1, 31], [64, 2], [127], [257], [1057], [5, 1, 3, 2], [2049]]
  static let usualData = ["normal", "int", "allpos", "outlier", "cancel", "ramp", "huge", "tiny", "denormal", "overflow", "negzero", "nan", "inf", "constant", "last", "sparse"]

  init(_ spec: OperatorSpec) {
    self.spec = spec
    let section = spec.conformance
    var factors: [Factor] = []
    for (k, input) in spec.inputs.enumerated() {
      if input.isOptional { factors.append(.presence(input: k)) }
      if input.formatOf == nil, input.formats.count > 1 { factors.append(.format(input: k, input.formats)) }
    }
    for output in spec.outputs where output.isOptional { factors.append(.wanted(output: output.name)) }
    let patterns = spec.inputs.map(\.shape)
    if patterns.contains(where: \.isRuled) || !section.shapes.isEmpty {
      factors.append(.shapes(section.shapes.isEmpty ? [[[7]], [[3, 5]], [[2, 3, 4]], [[33, 17]], [[257]]] : section.shapes))
    } else {
      var names: [String] = []
      for name in patterns.flatMap(\.extentNames) where !names.contains(name) { names.append(name) }
      for name in names {
        let given = section.extents.first { $0.name == name }?.values
        factors.append(.extent(name, given ?? (names.count > 2 ? [1, 2, 3, 7, 16, 17, 33] : ShapeGenerator.usualExtents)))
      }
      let spreads = patterns.filter { $0.spread != .none }
      if !spreads.isEmpty {
        let isWhole = spreads.contains { $0.prefix.isEmpty && $0.suffix.isEmpty }
        factors.append(.leading(!section.leading.isEmpty ? section.leading : isWhole ? ShapeGenerator.wholeShapes : [[], [1], [3], [2, 3]]))
      }
      for (k, pattern) in patterns.enumerated() where pattern.spread == .broadcast { factors.append(.broadcast(input: k)) }
    }
    for attribute in spec.attributes {
      if let given = section.attributes.first(where: { $0.name == attribute.name })?.values { factors.append(.attribute(attribute.name, given)) }
      else if attribute.values.count > 1 { factors.append(.attribute(attribute.name, attribute.values)) }
    }
    let isReal = spec.inputs.contains { input in input.formats.contains { $0.isReal } }
    factors.append(.data(!section.data.isEmpty ? section.data : (isReal ? ShapeGenerator.usualData : ["normal", "huge"]) + section.exact.map(ShapeGenerator.word)
      .filter { !ShapeGenerator.usualData.contains($0) }))
    var memories: [CaseID.Memory] = [.plain, .symbolic, .strided, .repeated]
    if spec.inputs.count > 1 { memories.append(.constant) }
    if spec.outputs.contains(where: { $0.inPlace != nil }) { memories.append(.state) }
    factors.append(.memory(memories))
    self.factors = factors
  }

  static func word(_ exact: String) -> String { String(exact.split(separator: " ").first ?? "") }

  /// Extents set to something else than a row says.
  struct Override {
    var extent: String?
    var leading: [Int]?
  }

  /// The case of a row, nil when the operator's spec does not allow it or when it is too much work.
  func makeCase(_ row: [Int], _ override: Override = Override()) -> CaseID? {
    var formats = spec.inputs.map { $0.formats.first }
    var isPresent = spec.inputs.map { !$0.isOptional }
    var wanted: [String] = []
    var extents: [String: Int] = [:]
    var leading: [Int] = []
    var broadcast: [Int: Int] = [:]
    var shapes: [[Int]]?
    var attributes: [Attribute] = []
    var data = "normal"
    var memory = CaseID.Memory.plain
    for (factor, level) in zip(factors, row) {
      switch factor {
      case .format(let k, let levels): formats[k] = levels[level]
      case .presence(let k): isPresent[k] = level == 0
      case .wanted(let name): if level == 0 { wanted.append(name) }
      case .extent(let name, let levels): extents[name] = levels[level]
      case .leading(let levels): leading = levels[level]
      case .broadcast(let k): broadcast[k] = level
      case .shapes(let levels): shapes = levels[level]
      case .attribute(let name, let levels): attributes.append(Attribute(name, levels[level]))
      case .data(let levels): data = levels[level]
      case .memory(let levels): memory = levels[level]
      }
    }
    if let zero = override.extent { extents[zero] = 0 }
    if let given = override.leading { leading = given }
    for (k, input) in spec.inputs.enumerated() {
      if let other = input.formatOf.flatMap({ spec.inputIndex($0) }) { formats[k] = formats[other] }
    }
    // A block format's last extent is whole blocks.
    for (k, input) in spec.inputs.enumerated() where isPresent[k] {
      guard let format = formats[k], format.isBlock, case .extent(let name)? = input.shape.suffix.last ?? (input.shape.spread == .none ? input.shape.prefix.last : nil),
            let extent = extents[name] else { continue }
      extents[name] = (extent + format.blockElements - 1) / format.blockElements * format.blockElements
    }
    func shape(_ pattern: ShapePattern, _ k: Int) -> [Int] {
      func words(_ list: [ShapePattern.Word]) -> [Int] {
        list.map { word in switch word { case .extent(let name): extents[name] ?? 1; case .number(let n): n; case .formula: 1 } }
      }
      var middle = pattern.spread == .none ? [] : leading
      if pattern.spread == .broadcast {
        switch broadcast[k] {
        case 1: middle = []
        case 2: if !middle.isEmpty { middle[0] = 1 }
        case 3: if !middle.isEmpty { middle[middle.count - 1] = 1 }
        default: break
        }
      }
      return words(pattern.prefix) + middle + words(pattern.suffix)
    }
    func tensors(_ alternative: Int) -> [[CaseID.Tensor]]? {
      var inputs: [[CaseID.Tensor]] = []
      for (k, input) in spec.inputs.enumerated() {
        guard isPresent[k], let format = formats[k] else { inputs.append([]); continue }
        if let shapes, input.isVariadic { inputs.append(shapes.dropFirst(k).map { CaseID.Tensor(format: format, shape: $0) }); continue }
        if let shapes {
          guard k < shapes.count else { return nil }
          inputs.append([CaseID.Tensor(format: format, shape: shapes[k])])
          continue
        }
        let pattern = alternative < input.shapeWhen.count ? input.shapeWhen[alternative].shape : input.shape
        let tensor = CaseID.Tensor(format: format, shape: shape(pattern, k))
        inputs.append(input.isVariadic ? [tensor, tensor] : [tensor])
      }
      return inputs
    }
    // Which of the shapes that depend on attributes holds: the one that the spec accepts.
    for alternative in (0..<max(1, (spec.inputs.map(\.shapeWhen.count).max() ?? 0) + 1)).reversed() {
      guard let inputs = tensors(alternative) else { continue }
      let id = CaseID(spec, inputs: inputs, attributes: attributes, outputs: wanted, data: data, memory: memory)
      if CaseGraph.isAllowed(id) { return id }
    }
    return nil
  }

  /// The case of a row, or of the nearest row that the spec allows.
  func nearestCase(_ row: [Int], _ random: inout Random) -> CaseID? {
    if let id = makeCase(row) { return id }
    let order = factors.indices.shuffled(&random)
    for factor in order {
      for level in 0..<factors[factor].levelCount where level != row[factor] {
        var other = row
        other[factor] = level
        if let id = makeCase(other) { return id }
      }
    }
    for _ in 0..<400 {
      var other = row
      for _ in 0..<3 {
        let factor = random.below(factors.count)
        other[factor] = random.below(factors[factor].levelCount)
      }
      if let id = makeCase(other) { return id }
    }
    return nil
  }
}

extension Range<Int> {
  fileprivate func shuffled(_ random: inout Random) -> [Int] {
    var list = Array(self)
    for k in list.indices.reversed() { list.swapAt(k, random.below(k + 1)) }
    return list
  }
}
