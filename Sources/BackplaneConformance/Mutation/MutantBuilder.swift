import BackplaneCore
import Foundation
import Synchronization

/// Builds the mutant plugin, and generated mutants of it, with the machine's C compiler.
///
/// What is built lies in a temporary folder that goes with this object.
public final class MutantBuilder: Sendable {
  public enum Built: Sendable {
    /// The library's path.
    case library(String)
    /// The compiler makes the same machine code of it as of the kernel: proof that nothing can tell them apart.
    case identical
    /// What the compiler says.
    case refused(String)
  }

  private let sources, include, folder, compiler: String
  private let files: [String]
  private static let flags = ["-std=gnu11", "-O2", "-ffp-contract=off", "-fPIC", "-fvisibility=hidden", "-w"]
  /// Generated mutants are of the kernels as they stand, without the planted faults.
  private static let plain = "-DFAULT(id)=0"

  /// - Parameter root: A checkout: it has Plugins/Mutant and the headers.
  /// - Throws: ``BackplaneError``: what is missing, and what to do about it.
  public init(root: String) throws(BackplaneError) {
    sources = root + "/Plugins/Mutant"
    include = root + "/Sources/BackplaneABI/include"
    files = ((try? FileManager.default.contentsOfDirectory(atPath: sources)) ?? []).filter { $0.hasSuffix(".c") }.sorted()
    guard files.contains("plugin.c"), FileManager.default.fileExists(atPath: include + "/backplane_plugin.h") else {
      throw BackplaneError(.file, "has no Plugins/Mutant with Sources/BackplaneABI/include", subject: root, hint: "give --sources a checkout, or --plugin a built libmutant.so")
    }
    compiler = try MutantBuilder.findCompiler()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("backplane-mutation-" + UUID().uuidString).path
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700]) } catch {
      throw BackplaneError(.file, "cannot be made: \(error.localizedDescription)", subject: folder)
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private static func findCompiler() throws(BackplaneError) -> String {
    let environment = ProcessInfo.processInfo.environment
    let names = [environment["CC"], "cc", "clang", "gcc"].compactMap { $0 }.filter { !$0.isEmpty }
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for name in names {
      let places = name.contains("/") ? [name] : folders.map { "\($0)/\(name)" }
      if let found = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) { return found }
    }
    throw BackplaneError(.unsupported, "no C compiler was found: looked for \(names.joined(separator: ", ")) in PATH",
                         hint: "install one, set CC, or give --plugin a built libmutant.so")
  }

  /// The kernels' sources, for the generator.
  public func generator() throws(BackplaneError) -> MutationGenerator {
    var texts: [(name: String, text: String)] = []
    for file in files where file != "plugin.c" && file != "kernels.c" { texts.append((file, try read(file))) }
    return MutationGenerator(files: texts, headers: [try read("mutant.h")])
  }

  private func read(_ file: String) throws(BackplaneError) -> String {
    do { return try String(contentsOfFile: "\(sources)/\(file)", encoding: .utf8) } catch {
      throw BackplaneError(.file, "cannot be read: \(error.localizedDescription)", subject: "\(sources)/\(file)")
    }
  }

  /// The plugin with its switchable faults. Its path.
  public func plugin() throws(BackplaneError) -> String {
    let path = folder + "/libmutant.so"
    try compile(files, [])
    try demand(run(["-shared", "-o", path] + files.map { folder + "/" + $0 + ".o" } + ["-lm"]), path)
    return path
  }

  /// Builds mutants, some at a time.
  ///
  /// - Parameter onBuilt: Told how many are done.
  /// - Returns: In the order of `mutants`.
  public func build(_ mutants: [GeneratedMutant], jobs: Int, onBuilt: @escaping @Sendable (Int) -> Void = { _ in }) throws(BackplaneError) -> [Built] {
    try compile(files, ["plain"])
    let state = Mutex((results: [Built?](repeating: nil, count: mutants.count), done: 0))
    concurrently(mutants.count, jobs) { i in
      let built = self.build(mutants[i], number: i)
      let done = state.withLock { state in
        state.results[i] = built
        state.done += 1
        return state.done
      }
      onBuilt(done)
    }
    return state.withLock { $0.results.map { $0! } }
  }

  private func build(_ mutant: GeneratedMutant, number: Int) -> Built {
    let own = "\(folder)/\(number)"
    let object = own + "/" + mutant.file + ".o", library = "\(folder)/libmutant\(number).so"
    do {
      try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
      try mutant.text.write(toFile: own + "/" + mutant.file, atomically: false, encoding: .utf8)
    } catch { return .refused(error.localizedDescription) }
    defer { try? FileManager.default.removeItem(atPath: own) }
    let compiled = run(MutantBuilder.flags + [MutantBuilder.plain, "-I", sources, "-I", include, "-c", mutant.file, "-o", object], in: own)
    guard compiled.status == 0 else { return .refused(compiled.text) }
    if FileManager.default.contentsEqual(atPath: object, andPath: "\(folder)/plain/\(mutant.file).o") { return .identical }
    let objects = files.map { $0 == mutant.file ? object : "\(folder)/plain/\($0).o" }
    let linked = run(["-shared", "-o", library] + objects + ["-lm"])
    return linked.status == 0 ? .library(library) : .refused(linked.text)
  }

  /// Compiles files, into a folder of their own if one is named: there without the planted faults.
  private func compile(_ files: [String], _ place: [String]) throws(BackplaneError) {
    let to = ([folder] + place).joined(separator: "/")
    try? FileManager.default.createDirectory(atPath: to, withIntermediateDirectories: true)
    let failure = Mutex<(status: Int32, text: String)?>(nil)
    concurrently(files.count, 2) { i in
      let result = self.run(MutantBuilder.flags + (place.isEmpty ? [] : [MutantBuilder.plain]) + ["-I", self.include, "-c", files[i], "-o", "\(to)/\(files[i]).o"], in: self.sources)
      if result.status != 0 { failure.withLock { $0 = result } }
    }
    if let failure = failure.withLock({ $0 }) { try demand(failure, sources) }
  }

  private func demand(_ result: (status: Int32, text: String), _ subject: String) throws(BackplaneError) {
    guard result.status != 0 else { return }
    throw BackplaneError(.file, "\(compiler) ended with \(result.status): \(result.text.prefix(2000))", subject: subject)
  }

  private func run(_ arguments: [String], in place: String? = nil) -> (status: Int32, text: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: compiler)
    process.arguments = arguments
    if let place { process.currentDirectoryURL = URL(fileURLWithPath: place) }
    let pipe = Pipe()
    (process.standardError, process.standardOutput, process.standardInput) = (pipe, FileHandle.nullDevice, FileHandle.nullDevice)
    do { try process.run() } catch { return (127, error.localizedDescription) }
    let text = String(decoding: (try? pipe.fileHandleForReading.readToEnd()) ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }
}

/// Runs `body` for each number below `count`, on some threads.
func concurrently(_ count: Int, _ jobs: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let (group, counter) = (DispatchGroup(), Counter())
  for _ in 0..<max(1, min(jobs, count)) {
    group.enter()
    Thread.detachNewThread {
      while let i = counter.take(below: count) { body(i) }
      group.leave()
    }
  }
  group.wait()
}

private final class Counter: Sendable {
  private let next = Atomic<Int>(0)
  func take(below limit: Int) -> Int? {
    let i = next.add(1, ordering: .relaxed).oldValue
    return i < limit ? i : nil
  }
}
