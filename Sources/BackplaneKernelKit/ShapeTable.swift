import BackplaneABI
import BackplanePluginKit

/// A tensor whose extents are known: strides in bytes (of a block along the last dimension of a block format).
public struct OperandView: Sendable {
  public var format: FormatSize
  public var rank: Int
  public var extent = PerDimension()
  public var stride = PerDimension()
  /// A graph's tensor, or behind those a piece of scratch memory.
  public var storage: Int
  public var byteOffset: Int64 = 0

  var elements: Int64 { (0..<rank).reduce(1) { $0.multipliedReportingOverflow(by: extent[$1]).partialValue } }

  /// Extent of the last dimension in blocks.
  func units(_ dimension: Int) -> Int64 { dimension == rank - 1 ? extent[dimension] / Int64(format.blockElements) : extent[dimension] }

  /// Bytes from the first to the last element.
  var span: Int64 {
    var span = Int64(format.blockBytes)
    for i in 0..<rank {
      if units(i) == 0 { return 0 }
      span += (units(i) - 1) * stride[i]
    }
    return span
  }

  var isDense: Bool {
    var step = Int64(format.blockBytes)
    for i in (0..<rank).reversed() {
      if stride[i] != step, extent[i] > 1 { return false }
      step *= max(units(i), 1)
    }
    return true
  }

  mutating func makeDense() {
    var step = Int64(format.blockBytes)
    for i in (0..<rank).reversed() {
      stride[i] = step
      step *= max(units(i), 1)
    }
  }
}

/// A graph's tensors with extents that may hang on symbols, and the views that kernels have of them.
final class ShapeTable {
  struct Symbol {
    let number: UInt32
    var minimum, maximum: Int64
  }
  private enum Entry {
    case tensor(OperandView, symbol: SIMD8<Int32>, computed: SIMD8<Int32>)
    case refused(Refusal)
    /// From earlier entries.
    case derived(@Sendable ([OperandView]) throws(PluginError) -> OperandView)
  }
  private(set) var symbols: [Symbol] = []
  private var entries: [Entry] = []
  /// Whether an entry is the same whatever the symbols' values.
  private(set) var isStatic: [Bool] = []
  /// At the symbols' upper bounds.
  private(set) var bounds: [OperandView] = []
  private(set) var scratchCount = 0
  private let tensorCount: Int

  init(_ graph: GraphReader) {
    tensorCount = graph.tensors.count
    for (number, tensor) in graph.tensors.enumerated() { add(tensor, number) }
  }

  /// - Throws: Why no kernel can take the tensor.
  func check(_ tensor: Int) throws(Refusal) {
    if case .refused(let refusal) = entries[tensor] { throw refusal }
  }

  private func add(_ tensor: GraphTensor, _ number: Int) {
    var view = OperandView(format: FormatSize.none, rank: tensor.rank, storage: number)
    func refuse(_ reason: UInt32, _ limit: Int64 = 0, _ actual: Int64 = 0) {
      entries.append(.refused(Refusal(reason: reason, limit: limit, actual: actual)))
      bounds.append(view)
      isStatic.append(true)
    }
    guard let format = FormatSize.of(tensor.format) else { return refuse(BP_REASON_DTYPE) }
    guard tensor.layout == identifier("strided") || tensor.layout == 0 else { return refuse(BP_REASON_LAYOUT) }
    view.format = format
    var symbol = SIMD8<Int32>(repeating: -1), computed = SIMD8<Int32>()
    var dense = Int64(format.blockBytes)
    for i in (0..<tensor.rank).reversed() {
      view.extent[i] = tensor.maximum[i]
      if tensor.symbol[i] != 0 { symbol[i] = Int32(use(tensor.symbol[i], tensor.minimum[i], tensor.maximum[i])) }
      if tensor.stride[i] == -1 { computed[i] = 1 }
      view.stride[i] = tensor.stride[i] == -1 ? dense : tensor.stride[i]
      guard view.stride[i] >= 0 else { return refuse(BP_REASON_LAYOUT, 0, view.stride[i]) }
      if i == tensor.rank - 1, view.extent[i] % Int64(format.blockElements) != 0 {
        return refuse(BP_REASON_DIM_MULTIPLE, Int64(format.blockElements), view.extent[i])
      }
      // Kernels count elements along a dimension in 32 bits.
      guard view.extent[i] <= Int64(Int32.max) else { return refuse(BP_REASON_DIM_TOO_LARGE, Int64(Int32.max), view.extent[i]) }
      let (next, overflow) = view.stride[i].multipliedReportingOverflow(by: max(view.units(i), 1))
      if overflow || next > Int64.max / 16 { return refuse(BP_REASON_DIM_TOO_LARGE, Int64.max, 0) }
      dense = next
    }
    entries.append(.tensor(view, symbol: symbol, computed: computed))
    bounds.append(view)
    isStatic.append(!tensor.isSymbolic)
  }

  private func use(_ number: UInt32, _ minimum: Int64, _ maximum: Int64) -> Int {
    if let index = symbols.firstIndex(where: { $0.number == number }) {
      symbols[index].minimum = max(symbols[index].minimum, minimum)
      symbols[index].maximum = min(symbols[index].maximum, maximum)
      return index
    }
    symbols.append(Symbol(number: number, minimum: minimum, maximum: maximum))
    return symbols.count - 1
  }

  /// Adds a view that is made from others and gives its number.
  func derive(isStatic: Bool, _ make: @escaping @Sendable ([OperandView]) throws(PluginError) -> OperandView) throws(PluginError) -> Int {
    bounds.append(try make(bounds))
    entries.append(.derived(make))
    self.isStatic.append(isStatic)
    return entries.count - 1
  }

  /// The storage number of a new piece of scratch memory.
  func addScratch() -> Int {
    scratchCount += 1
    return tensorCount + scratchCount - 1
  }

  /// A range of a symbol with the symbol's place in ``symbols``.
  func indexed(_ range: (symbol: UInt32, values: ClosedRange<Int64>), node: Int) throws(PluginError) -> (symbol: Int, values: ClosedRange<Int64>) {
    guard let index = symbols.firstIndex(where: { $0.number == range.symbol }) else {
      throw .invalid("a config of node \(node) holds for values of symbol \(range.symbol), which the graph has not", node: node)
    }
    return (index, range.values)
  }

  /// Every view under the symbols' values.
  func evaluate(_ values: [Int64]) throws(PluginError) -> [OperandView] {
    var views: [OperandView] = []
    views.reserveCapacity(entries.count)
    for (number, entry) in entries.enumerated() {
      if isStatic[number] {
        views.append(bounds[number])
        continue
      }
      switch entry {
      case .refused: views.append(bounds[number])
      case .derived(let make): views.append(try make(views))
      case .tensor(var view, let symbol, let computed):
        var dense = Int64(view.format.blockBytes)
        for i in (0..<view.rank).reversed() {
          if symbol[i] >= 0 { view.extent[i] = values[Int(symbol[i])] }
          if computed[i] != 0 { view.stride[i] = dense }
          dense = view.stride[i] * max(view.units(i), 1)
        }
        views.append(view)
      }
    }
    return views
  }
}
