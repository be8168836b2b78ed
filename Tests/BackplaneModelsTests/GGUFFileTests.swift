import BackplaneModels
import Foundation
import Testing
import _TestSupport

/// The error that parsing raises, nil when it raises none.
private func failure(_ bytes: [UInt8]) -> BackplaneError? {
  do throws(BackplaneError) { _ = try GGUFFile(contents: bytes, name: "bad.gguf") } catch { return error }
  return nil
}

private func failure(path: String) -> BackplaneError? {
  do throws(BackplaneError) { _ = try GGUFFile(path: path) } catch { return error }
  return nil
}

/// Expects a file error that names the file, says all of `words`, and gives a hint.
private func expect(_ error: BackplaneError?, says words: String..., at location: SourceLocation = #_sourceLocation) {
  guard let error else {
    Issue.record("nothing was wrong", sourceLocation: location)
    return
  }
  #expect(error.kind == .file, sourceLocation: location)
  #expect(error.subject != nil && error.hint != nil, "\(error)", sourceLocation: location)
  for word in words { #expect(error.message.contains(word), "\(error) does not say \(word)", sourceLocation: location) }
}

@Suite struct BrokenFileTests {
  @Test func aMissingFileIsSaidToBeMissing() { expect(failure(path: "/nonexistent/model.gguf"), says: "no such file") }

  @Test func aDirectoryIsSaidToBeADirectory() {
    let folder = TemporaryFolder()
    expect(failure(path: folder.path), says: "is a directory")
  }

  @Test func aPipeIsRefusedWithoutWaitingForIt() {
    let folder = TemporaryFolder()
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    expect(failure(path: folder.file("pipe")), says: "not a regular file")
  }

  @Test func anEmptyFileIsSaidToBeEmpty() {
    let folder = TemporaryFolder()
    expect(failure(path: folder.write("empty.gguf", [])), says: "empty")
  }

  @Test func anotherKindOfFileIsRecognised() {
    expect(failure(Array("PK\u{3}\u{4} is a zip file, not a model".utf8)), says: "not a GGUF file", "PK\\x03\\x04")
  }

  @Test func unknownVersionsAreNamed() {
    expect(failure(RawFile(version: 1).bytes), says: "version 1")
    expect(failure(RawFile(version: 4).bytes), says: "version 4")
    expect(failure(RawFile(version: UInt32(3).byteSwapped).bytes), says: "big-endian")
  }

  @Test func absurdCountsAreRefusedBeforeAnythingIsAllocated() {
    expect(failure(RawFile(tensors: .max).bytes), says: "18446744073709551615 tensors")
    expect(failure(RawFile(tensors: 1 << 40).bytes), says: "tensors", "24 bytes")
    expect(failure(RawFile(pairs: 1 << 62).bytes), says: "metadata entries")
  }

  @Test func stringsEndWithinTheFile() {
    var file = RawFile(pairs: 1)
    file.u64(1 << 40)
    file.bytes += [UInt8](repeating: 65, count: 40)
    expect(failure(file.bytes), says: "the key of metadata entry 1 of 1", "1099511627776")
    expect(failure(RawFile.pair("a", type: 8) { $0.u64(.max) }.bytes + [0]), says: "metadata a", "18446744073709551615")
  }

  @Test func keysAreNeitherEmptyNorLongNorIllFormed() {
    expect(failure(RawFile.pair("", type: 0) { $0.u64(0) }.bytes), says: "0 bytes")
    expect(failure(RawFile.pair(String(repeating: "k", count: 70_000), type: 0) { $0.u32(0) }.bytes), says: "70000")
    var file = RawFile(pairs: 1)
    file.u64(2)
    file.bytes += [0xc3, 0x28] + [UInt8](repeating: 0, count: 8)
    expect(failure(file.bytes), says: "not UTF-8")
  }

  @Test func unknownValueTypesAreNamed() {
    expect(failure(RawFile.pair("a", type: 13) { $0.u32(0) }.bytes), says: "metadata a", "type 13")
    expect(failure(RawFile.pair("a", type: 9) { $0.u32(99); $0.u64(0) }.bytes), says: "elements of type 99")
  }

  @Test func boolsAreZeroOrOne() {
    expect(failure(RawFile.pair("a", type: 7) { $0.bytes.append(2) }.bytes), says: "bool", "2")
    expect(failure(RawFile.pair("a", type: 9) { $0.u32(7); $0.u64(3); $0.bytes += [0, 1, 7] }.bytes), says: "bool")
  }

  @Test(arguments: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] as [UInt32]) func arraysEndWithinTheFile(type: UInt32) {
    for count in [100, 1 << 33, UInt64(Int.max), .max] {
      expect(failure(RawFile.pair("a", type: 9) { $0.u32(type); $0.u64(count); $0.u64(0) }.bytes), says: "metadata a: array", "past the end")
    }
  }

  @Test func arraysNestOnlySoDeep() {
    let file = RawFile.pair("a", type: 9) { file in
      for _ in 0..<20 { file.u32(9); file.u64(1) }
      file.u32(0)
      file.u64(0)
    }
    expect(failure(file.bytes), says: "nest deeper")
  }

  @Test func keysAppearOnce() {
    var file = RawFile(pairs: 2)
    for _ in 0..<2 {
      file.text("twice")
      file.u32(4)
      file.u32(1)
    }
    expect(failure(file.bytes), says: "twice", "appears twice")
  }

  @Test func tensorNamesAppearOnce() {
    var file = RawFile(tensors: 2)
    file.tensor("w", [8])
    file.tensor("w", [8], offset: 32)
    file.pad(extra: 64)
    expect(failure(file.bytes), says: "tensor w appears twice")
  }

  @Test func ranksEndAtEight() { expect(failure(RawFile.tensor([1, 1], rank: 9).bytes), says: "tensor w", "9 dimensions") }

  @Test func extentsMayNotOverflow() {
    expect(failure(RawFile.tensor([1 << 40, 1 << 40]).bytes), says: "w[1099511627776, 1099511627776]", "overflows")
    expect(failure(RawFile.tensor([.max]).bytes), says: "overflows")
    expect(failure(RawFile.tensor([1 << 62]).bytes), says: "overflows")
  }

  @Test func unknownFormatsAreNamedBesideTheKnownOnes() {
    expect(failure(RawFile.tensor([256], type: 23).bytes), says: "quantization not known: type 23 of tensor w", "8 q8_0", "12 q4_K")
  }

  @Test func rowsAreWholeBlocks() { expect(failure(RawFile.tensor([33], type: 8).bytes), says: "w[33] of q8_0", "block of 32") }

  @Test func offsetsAreAligned() { expect(failure(RawFile.tensor([8], offset: 4).bytes), says: "tensor w", "offset 4", "alignment 32") }

  @Test func dataLiesWithinTheFile() {
    expect(failure(RawFile.tensor([1 << 20]).bytes), says: "tensor w", "past the end")
    expect(failure(RawFile.tensor([8], offset: 1 << 20).bytes), says: "tensor w", "past the end")
    expect(failure(RawFile.tensor([8], offset: .max & ~31).bytes), says: "tensor w", "past the end")
  }

  @Test func tensorsDoNotOverlap() {
    var file = RawFile(tensors: 2)
    file.tensor("a", [16])
    file.tensor("b", [16], offset: 32)
    file.pad(extra: 128)
    expect(failure(file.bytes), says: "tensors a", "and b", "overlap")
  }

  @Test(arguments: [0, 3, 48, 1 << 31] as [UInt32]) func alignmentIsAPowerOfTwo(alignment: UInt32) {
    expect(failure(RawFile.pair("general.alignment", type: 4) { $0.u32(alignment) }.bytes), says: "general.alignment", "\(alignment)")
  }

  @Test func aFileCutAnywhereIsRefused() throws {
    let contents = Synthetic.contents[.gemma3]!
    let dataStart = try Synthetic.file(.gemma3).tensors.map(\.offset).min()!
    let cuts = Array(stride(from: 1, to: 400, by: 1)) + stride(from: 400, to: dataStart, by: 97) + [dataStart - 1, dataStart, dataStart + 1]
      + [contents.count / 2, contents.count - 33]
    for cut in cuts { expect(failure(Array(contents[..<cut]))) }
  }

  @Test func aHeaderWithFlippedBytesIsReadOrRefused() throws {
    // A synthetic model's header over small tensors.
    let model = try Synthetic.file(.qwen2)
    var writer = GGUFWriter()
    for key in model.metadata.keys { writer.set(key, model.metadata[key]!) }
    for tensor in model.tensors { writer.add(tensor.name, .f32, [2, 16], bytes: [UInt8](repeating: 0, count: 128)) }
    let contents = writer.encoded()
    let dataStart = try GGUFFile(contents: contents, name: "whole").tensors.map(\.offset).min()!
    var random = SeededGenerator(seed: 20)
    var read = 0
    for round in 0..<2000 {
      var copy = contents
      // A third of the flips go to the first pairs, a third to the tensor records, where the numbers are dense.
      let range = [0..<dataStart, 0..<600, (dataStart - 4000)..<dataStart][round % 3]
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        copy[Int.random(in: range, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      guard let file = try? GGUFFile(contents: copy, name: "flipped") else { continue }
      read += 1
      for tensor in file.tensors { _ = file.bytes(of: tensor).last }
      _ = try? Tokenizer(file)
      _ = try? LanguageModel(file)
    }
    // Both happen: flips in texts are harmless, flips in lengths are not.
    #expect((100..<1900).contains(read))
  }

  @Test func aFileThatShrinksIsNoticed() throws {
    let folder = TemporaryFolder()
    let path = folder.write("model.gguf", Synthetic.contents[.qwen2]!)
    let file = try GGUFFile(path: path)
    try file.checkUnchanged()
    #expect(truncate(path, 1000) == 0)
    do throws(BackplaneError) {
      try file.checkUnchanged()
      Issue.record("the change went unnoticed")
    } catch { expect(error, says: "to 1000 bytes") }
  }
}
