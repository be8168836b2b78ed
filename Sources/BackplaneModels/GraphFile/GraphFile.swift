import Backplane
import Foundation

/// A graph with its weights, as one file: a JSON header and the weights' bytes. Specs/formats/graph-file.md describes it.
///
/// A value; any thread. Weights are mapped, not read.
public struct GraphFile: Sendable {
  public let graph: Graph
  /// One for each of the graph's constants.
  public let constants: [TensorID: ConstantSource]

  static let magic = Array("BPGRAPH1".utf8)
  /// Of every weight's place in the file, in bytes.
  static let alignment = 64

  /// - Precondition: none; ``write(to:)`` and `Graph.check()` say what does not fit.
  public init(graph: Graph, constants: [TensorID: ConstantSource]) { (self.graph, self.constants) = (graph, constants) }

  /// True when the file begins as a graph file does.
  public static func isGraphFile(_ path: String) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path), let start = try? file.read(upToCount: magic.count) else { return false }
    return Array(start) == magic
  }

  /// Maps a file and reads its graph.
  ///
  /// - Throws: `BackplaneError`: (file) missing, no graph file, cut short, or a header that says what cannot be; what `Graph.check()` says.
  public init(path: String) throws(BackplaneError) {
    let file = try MappedFile(path)
    let prefix = GraphFile.magic.count + 8
    guard file.byteCount >= prefix, Array(file.bytes.prefix(GraphFile.magic.count)) == GraphFile.magic else {
      throw BackplaneError(.file, "is no graph file: it does not begin with BPGRAPH1", subject: path)
    }
    let length = UInt64(littleEndian: file.bytes.loadUnaligned(fromByteOffset: GraphFile.magic.count, as: UInt64.self))
    guard length <= UInt64(file.byteCount - prefix) else {
      throw BackplaneError(.file, "the header has \(length) bytes, the file \(file.byteCount)", subject: path, hint: "is it cut short?")
    }
    guard let text = String(validating: file.bytes[prefix..<prefix + Int(length)], as: UTF8.self) else {
      throw BackplaneError(.file, "the header is not UTF-8", subject: path)
    }
    do throws(BackplaneError) {
      let header = try GraphHeader(JSON.parse(text))
      let begin = (prefix + Int(length) + GraphFile.alignment - 1) / GraphFile.alignment * GraphFile.alignment
      var constants: [TensorID: ConstantSource] = [:]
      for (id, range) in header.places {
        guard let bytes = header.graph[id].maximumBytes, bytes == range.count else {
          throw BackplaneError(.file, "constant \(header.graph[id].name)\(header.graph[id].shape) of \(header.graph[id].format) has a place of \(range.count) bytes")
        }
        guard range.lowerBound <= file.byteCount, begin <= file.byteCount else { throw BackplaneError(.file, "constant \(header.graph[id].name) lies behind the end", hint: "is it cut short?") }
        constants[id] = try ConstantSource(file, offset: begin + range.lowerBound, byteCount: range.count)
      }
      try header.graph.check()
      self.init(graph: header.graph, constants: constants)
    } catch {
      var located = error
      located.subject = located.subject ?? path
      throw located
    }
  }

  /// The header as the file has it.
  ///
  /// - Throws: `BackplaneError` (invalid) when an attribute is no number.
  public func header() throws(BackplaneError) -> String { try layout().header }

  /// The header, and each weight with the bytes that go before it.
  private func layout() throws(BackplaneError) -> (header: String, weights: [(id: TensorID, padding: Int)]) {
    var places: [TensorID: Range<Int>] = [:]
    var weights: [(id: TensorID, padding: Int)] = []
    var end = 0
    for id in graph.constants {
      let begin = (end + GraphFile.alignment - 1) / GraphFile.alignment * GraphFile.alignment
      weights.append((id, begin - end))
      end = begin + (graph[id].maximumBytes ?? 0)
      places[id] = begin..<end
    }
    return (try GraphHeader(graph: graph, places: places).json().text(), weights)
  }

  /// Writes the file under another name beside `path`, then renames it.
  ///
  /// - Throws: `BackplaneError`: the graph is wrong, a constant has no bytes, or the file cannot be written.
  public func write(to path: String) throws(BackplaneError) {
    try graph.check()
    let (header, weights) = try layout()
    for id in graph.constants where constants[id]?.byteCount != graph[id].maximumBytes {
      throw BackplaneError(.invalid, "constant \(graph[id].name)\(graph[id].shape) of \(graph[id].format) has \(graph[id].maximumBytes ?? 0) bytes, "
        + (constants[id].map { "\($0.byteCount) were given" } ?? "none were given"))
    }
    let temporary = "\(path).\(getpid()).part"
    do {
      guard FileManager.default.createFile(atPath: temporary, contents: nil), let file = FileHandle(forWritingAtPath: temporary) else {
        throw CocoaError(.fileWriteUnknown, userInfo: [NSLocalizedDescriptionKey: String(cString: strerror(errno))])
      }
      var start = GraphFile.magic
      start += withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
      start += Array(header.utf8)
      start += Array(repeating: 0, count: -start.count & (GraphFile.alignment - 1))
      try file.write(contentsOf: start)
      for (id, padding) in weights {
        if padding > 0 { try file.write(contentsOf: [UInt8](repeating: 0, count: padding)) }
        let bytes = constants[id]!.bytes
        // In pieces: one call need not take more than 2 GiB.
        for begin in stride(from: 0, to: bytes.count, by: 1 << 28) {
          let piece = UnsafeRawBufferPointer(rebasing: bytes[begin..<min(begin + 1 << 28, bytes.count)])
          try file.write(contentsOf: Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: piece.baseAddress!), count: piece.count, deallocator: .none))
        }
      }
      try file.close()
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: path)
    }
    guard rename(temporary, path) == 0 else {
      let why = String(cString: strerror(errno))
      try? FileManager.default.removeItem(atPath: temporary)
      throw BackplaneError(.file, "cannot be written: \(why)", subject: path)
    }
  }
}
