import Backplane
import Foundation

/// Writes arrays as NumPy's .npy files, version 1.0.
enum NumpyFile {
  /// - Throws: ``BackplaneError`` (file) when the place cannot be written.
  static func write(_ values: [Float], shape: [Int], to path: String) throws {
    precondition(values.count == shape.reduce(1, *))
    let extents = shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(extents)), }"
    // Magic, version, length and header together fill whole blocks of 64 bytes and end in a newline.
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var data = Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0, UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8)])
    data += Data(header.utf8)
    values.withUnsafeBytes { data.append(contentsOf: $0) }
    do { try data.write(to: URL(fileURLWithPath: path)) } catch {
      throw BackplaneError(.file, "cannot be written: \(error.localizedDescription)", subject: path)
    }
  }
}
