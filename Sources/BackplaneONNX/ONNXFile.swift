import BackplaneCore
import Foundation

/// Opens ONNX files and what lies beside them.
enum ONNXFile {
  /// Reads a file and parses it. Every error says which file.
  static func read<T>(_ path: String, _ parse: (inout ProtobufReader, _ folder: String) throws(BackplaneError) -> T) throws(BackplaneError) -> T {
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) } catch {
      throw BackplaneError(.file, "cannot be read: \(error.localizedDescription)", subject: path)
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let result: Result<T, BackplaneError> = data.withUnsafeBytes { memory in
      Result { () throws(BackplaneError) in
        var reader = ProtobufReader(memory)
        return try parse(&reader, folder)
      }
    }
    do { return try result.get() } catch {
      throw BackplaneError(error.kind, error.message, subject: error.subject ?? path, hint: error.hint)
    }
  }

  /// A StringStringEntryProto.
  static func pair(_ reader: inout ProtobufReader) throws(BackplaneError) -> (key: String, value: String) {
    var (key, value) = ("", "")
    while try reader.next() {
      switch reader.field {
      case 1: key = try reader.string()
      case 2: value = try reader.string()
      default: try reader.skip()
      }
    }
    return (key, value)
  }

  /// Bytes of a tensor that lie in a file of their own.
  ///
  /// The location is a path below the model's folder: one that leads elsewhere is refused.
  static func external(_ entries: [String: String], count: Int, folder: String?, tensor: String) throws(BackplaneError) -> [UInt8] {
    func wrong(_ what: String) -> BackplaneError { BackplaneError(.file, "tensor '\(tensor)': \(what)") }
    guard let folder, let location = entries["location"] else { throw wrong("its external data have no location") }
    guard !location.hasPrefix("/"), !location.split(separator: "/").contains("..") else { throw wrong("its external data lie outside the model's folder: \(location)") }
    let path = folder + "/" + location
    let inside = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    guard URL(fileURLWithPath: path).resolvingSymlinksInPath().path.hasPrefix(inside + "/") else { throw wrong("its external data lie outside the model's folder: \(location)") }
    let offset = entries["offset"].map { Int($0) } ?? 0, length = entries["length"].map { Int($0) } ?? count
    guard let offset, let length, offset >= 0, length == count else {
      throw wrong("its external data have offset \(entries["offset"] ?? "0") and length \(entries["length"] ?? ""), needed are \(count) bytes")
    }
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) else { throw BackplaneError(.file, "cannot be read", subject: path) }
    guard offset <= data.count, count <= data.count - offset else { throw wrong("\(location) has \(data.count) bytes, needed are \(count) from \(offset)") }
    return Array(data[data.startIndex + offset..<data.startIndex + offset + count])
  }
}
