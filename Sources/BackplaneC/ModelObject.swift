import Backplane
import BackplaneCHeader
import BackplaneModels
import Synchronization

/// `bp_model`: a graph under construction, or one that a file gave.
final class ModelObject: Sendable {
  struct Contents: Sendable {
    var builder = GraphBuilder()
    /// Of a file: it cannot be changed.
    var loaded: Graph?
    var constants: [TensorID: ConstantSource] = [:]
    var symbols: [Symbol] = []

    var graph: Graph { loaded ?? builder.graph }
  }

  private let contents: Mutex<Contents>
  /// Nil when the graph is no language model of a GGUF file.
  let language: LanguageModel?

  init() {
    contents = Mutex(Contents())
    language = nil
  }

  init(graph: Graph, constants: [TensorID: ConstantSource], language: LanguageModel? = nil) {
    var contents = Contents()
    (contents.loaded, contents.constants, contents.symbols) = (graph, constants, graph.symbols)
    self.contents = Mutex(contents)
    self.language = language
  }

  static func object(_ handle: OpaquePointer?) throws(BackplaneError) -> ModelObject { try HandleTable.shared.object(handle, "model") }

  var snapshot: Contents { contents.withLock { $0 } }

  /// - Throws: ``BackplaneError`` (invalid) when a file gave the graph; what the body says, which has then changed nothing.
  func build<R: Sendable>(_ body: (inout Contents) throws(BackplaneError) -> R) throws(BackplaneError) -> R {
    try contents.withLock { (contents) throws(BackplaneError) -> R in
      if contents.loaded != nil { throw BackplaneError(.invalid, "the model comes from a file and cannot be changed", hint: "bp_model_create makes one that can") }
      return try body(&contents)
    }
  }

  func requiredLanguage() throws(BackplaneError) -> LanguageModel {
    guard let language else { throw BackplaneError(.invalid, "the model is no language model", hint: "load one from a GGUF file") }
    return language
  }
}

extension ModelObject.Contents {
  func shape(_ rank: UInt32, _ extents: UnsafePointer<Int64>?) throws(BackplaneError) -> Shape {
    guard rank <= Shape.maximumRank else { throw BackplaneError(.invalid, "rank is \(rank); \(Shape.maximumRank) is possible") }
    var dimensions: [Dimension] = []
    for extent in try array(extents, rank, "extents") {
      if extent >= 0 {
        dimensions.append(.fixed(Int(extent)))
      } else {
        guard let symbol = symbols.first(where: { UInt64($0.number) == extent.magnitude }) else {
          throw BackplaneError(.invalid, "extent \(extent) stands for symbol \(extent.magnitude), which there is not", hint: "bp_model_symbol makes symbols")
        }
        dimensions.append(.symbol(symbol))
      }
    }
    return Shape(dimensions)
  }

  func tensor(_ number: UInt32, _ name: StaticString) throws(BackplaneError) -> TensorID {
    guard Int(number) < graph.tensors.count else { throw BackplaneError(.invalid, "\(name) is \(number), the graph has \(graph.tensors.count) tensors") }
    return TensorID(Int(number))
  }
}

func format(_ name: UnsafePointer<CChar>?) throws(BackplaneError) -> ElementFormat {
  let name = try text(name, "format")
  guard let format = ElementFormat.named(name) else {
    throw BackplaneError(.invalid, "no format is called \"\(name)\"", hint: "there are \(ElementFormat.all.map(\.name).joined(separator: ", "))")
  }
  return format
}

func numericsClass(_ value: UInt32) throws(BackplaneError) -> Numerics {
  switch value {
  case BP_NUMERICS_STANDARD: .standard
  case BP_NUMERICS_STRICT: .strict
  case BP_NUMERICS_FAST: .fast
  default: throw BackplaneError(.invalid, "numerics is \(value)", hint: "0 standard, 1 strict, 2 fast")
  }
}

/// Memory of the application's: told when nobody needs it any more.
final class BorrowedMemory: @unchecked Sendable {
  private let release: bp_release_fn
  private let user: UnsafeMutableRawPointer?
  private let bytes: UnsafeRawPointer?

  init(_ bytes: UnsafeRawPointer?, _ release: @escaping bp_release_fn, _ user: UnsafeMutableRawPointer?) {
    (self.bytes, self.release, self.user) = (bytes, release, user)
  }
  deinit { release(user, bytes) }
}
