import BackplaneABI
import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Foundation
import Glibc
import Testing
import _TestSupport

/// A loader in front of the machine's own (`Tests/Fixtures/opencl/faulty_loader.c`) that answers wrongly when it is told to.
private final class FaultyLoader: @unchecked Sendable {
  enum Fault: Int32 {
    case none, noDriver, noDevice, notAvailable, noMemory, queueLost, eventLost, binariesRefused, noResources, moreExtensions, otherDriver
  }
  let path: String
  private let fault, compiled: UnsafeMutablePointer<Int32>
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path + "/libfaulty.so"
    try Tool("cc", "gcc", "clang").run(["-shared", "-fPIC", packageFolder + "/Tests/Fixtures/opencl/faulty_loader.c", "-o", path, "-Wl,--no-as-needed", "-l:libOpenCL.so.1"])
    let handle = dlopen(path, RTLD_NOW)
    func variable(_ name: String) throws -> UnsafeMutablePointer<Int32> { try #require(dlsym(handle, name)).assumingMemoryBound(to: Int32.self) }
    (fault, compiled) = (try variable("bp_test_fault"), try variable("bp_test_compiled"))
  }

  var compileCount: Int { Int(compiled.pointee) }

  func with<T>(_ fault: Fault, _ body: () throws -> T) rethrows -> T {
    self.fault.pointee = fault.rawValue
    defer { self.fault.pointee = 0 }
    return try body()
  }

  /// Devices live as long as their runtime.
  private var kept: [Runtime] = []
  func runtime(_ settings: [String: String] = [:]) -> Runtime {
    kept.append(OpenCLHost.runtime(settings.merging(["opencl.library": path]) { a, _ in a }))
    return kept.last!
  }
  /// Why the runtime has no device.
  func complaint(_ fault: Fault) -> String {
    with(fault) {
      do {
        _ = try runtime().device("opencl")
        return "it has one"
      } catch { return "\(error)" }
    }
  }
}

/// What drivers do when all is not well: a state or an error, and the host lives on.
@Suite(.serialized, .enabled(if: OpenCLHost.hasDevice, "no OpenCL driver with a device on this machine (pocl-opencl-icd is one)"))
struct OpenCLFaultTests {
  private static let loader = Result { try FaultyLoader() }
  private var loader: FaultyLoader { get throws { try OpenCLFaultTests.loader.get() } }
  private let relu = "relu/x=f32.7/data=normal/mem=plain"

  // MARK: Before there is a device

  @Test func aLoaderWithoutDriversSaysWhatToInstall() throws {
    #expect(try loader.complaint(.noDriver).contains("no driver (ICD)"))
    let cache = try TemporaryFolder()  // what a probe said before is not asked
    let listed = try Tool("env").attempt(["OCL_ICD_VENDORS=/nowhere", "XDG_CACHE_HOME=" + cache.path, buildFolder + "/backplane", "devices"])
    #expect(listed.status == 0 && listed.output.contains("pocl-opencl-icd"), "\(listed)")
  }

  @Test func driversWithoutDevicesAreAState() throws { #expect(try loader.complaint(.noDevice).contains("have no device")) }

  @Test func aDeviceThatIsNotAvailableIsAState() throws { #expect(try loader.complaint(.notAvailable).contains("is not available")) }

  /// PoCL starts a linker and ends the process when it finds none.
  @Test func aDriverThatLacksItsLinkerIsNotOpened() throws {
    let cache = try TemporaryFolder(), folder = try TemporaryFolder()
    let words = ["PATH=" + folder.path, "XDG_CACHE_HOME=" + cache.path, buildFolder + "/backplane"]
    let listed = try Tool("env").attempt(words + ["devices"])
    #expect(listed.status == 0, "\(listed)")
    guard (OpenCLHost.shared.devices.first?.info[property: "quirks"]).map({ "\($0)".contains("pocl_linker") }) ?? false else { return }
    #expect(listed.output.contains("'ld' is not in PATH"), "\(listed)")
    let run = try Tool("env").attempt(words + ["conform", "--device", "opencl:0", "--op", "relu", "--quick"])
    #expect(run.status != 0 && run.error.contains("'ld' is not in PATH"), "\(run)")
  }

  // MARK: Memory and queues

  @Test func memoryThatRunsOutIsAnError() throws {
    let loader = try loader, device = try loader.runtime().device("opencl")
    let error = loader.with(.noMemory) { #expect(throws: BackplaneError.self) { try device.makeBuffer(byteCount: 64, usage: .input) } }
    #expect(error?.kind == .outOfDeviceMemory && error?.message.contains("memory object allocation failure") == true, "\(String(describing: error))")
    let result = loader.with(.noResources) { OpenCLHost.outcome(relu, device) }
    #expect(result.outcome == .fail && (result.message ?? "").contains("out of resources"), "\(result)")
    #expect(OpenCLHost.outcome(relu, device).outcome == .pass)
  }

  @Test func aDeviceThatIsLostSaysSoFromThenOn() throws {
    let loader = try loader, device = try loader.runtime().device("opencl")
    #expect(OpenCLHost.outcome(relu, device).outcome == .pass)
    let lost = loader.with(.queueLost) { OpenCLHost.outcome(relu, device) }
    #expect(lost.outcome == .fail, "\(lost)")
    let error = #expect(throws: BackplaneError.self) { try device.makeBuffer(byteCount: 64, usage: .input) }
    #expect(error?.kind == .deviceLost, "\(String(describing: error))")
    #expect(OpenCLHost.outcome(relu, try loader.runtime().device("opencl")).outcome == .pass, "a new instance works")
  }

  /// The end of a submission is told by an event; a failure there fails what it was to signal, and what waits for that.
  @Test func aQueueThatIsLostFailsItsSemaphores() throws {
    let loader = try loader, device = try loader.runtime().device("opencl")
    let queues = try [DeviceQueue(device), DeviceQueue(device, index: 1)], done = try DeviceSemaphore(device)
    func submit(_ queue: DeviceQueue, waits: [bp_sem_point], signals: [bp_sem_point]) throws {
      try waits.withUnsafeBufferPointer { waits in
        try signals.withUnsafeBufferPointer { signals in
          var submission = bp_submission()
          submission.h = bp_head(struct_size: UInt32(MemoryLayout<bp_submission>.size), struct_type: BP_ST_SUBMISSION, next: nil)
          submission.waits = bp_array(ptr: waits.baseAddress, count: UInt32(waits.count), stride: UInt32(MemoryLayout<bp_sem_point>.stride))
          submission.signals = bp_array(ptr: signals.baseAddress, count: UInt32(signals.count), stride: UInt32(MemoryLayout<bp_sem_point>.stride))
          let isTaken = try queue.submit(&submission)
          #expect(isTaken)
        }
      }
    }
    try submit(queues[0], waits: [], signals: [done.point(1)])
    try done.wait(for: 1)
    try loader.with(.eventLost) {
      try submit(queues[0], waits: [], signals: [done.point(2)])
      try submit(queues[1], waits: [done.point(2)], signals: [done.point(3)])
      let error = #expect(throws: BackplaneError.self) { try done.wait(for: 3, timeoutNanoseconds: 20_000_000_000) }
      #expect(error?.kind == .poisoned && error?.message.contains("invalid command queue") == true, "\(String(describing: error))")
    }
    let later = #expect(throws: BackplaneError.self) { try device.makeBuffer(byteCount: 64, usage: .input) }
    #expect(later?.kind == .deviceLost, "\(String(describing: later))")
  }

  // MARK: Stores

  /// Runs a case in a runtime of its own; how many programs were compiled for it.
  ///
  /// - Parameter quirks: Without them a driver that keeps compiled kernels itself is taken for one that does not.
  private func compiled(_ cache: String, _ fault: FaultyLoader.Fault = .none, quirks: String = "off") throws -> (Int, CaseResult) {
    let loader = try loader, before = loader.compileCount
    let result = try loader.with(fault) { OpenCLHost.outcome(relu, try loader.runtime(["cache.directory": cache, "opencl.quirks": quirks]).device("opencl")) }
    return (loader.compileCount - before, result)
  }

  @Test func aSecondStartCompilesNothing() throws {
    let folder = try TemporaryFolder(), cache = folder.path + "/blobs"
    #expect(try compiled(cache).0 > 0)
    #expect(try compiled(cache).0 == 0)
    #expect(try compiled(cache, .otherDriver).0 > 0, "another driver version gets programs of its own")
  }

  @Test func aDriverThatKeepsKernelsItselfIsNotAskedForThem() throws {
    let folder = try TemporaryFolder(), cache = folder.path + "/blobs"
    guard (OpenCLHost.shared.devices.first?.info[property: "quirks"]).map({ "\($0)".contains("pocl_cache") }) ?? false else { return }
    #expect(try compiled(cache, quirks: "on").0 > 0)
    #expect(((try? FileManager.default.contentsOfDirectory(atPath: cache)) ?? []).allSatisfy { !$0.hasSuffix(".blob") })
    #expect(try compiled(cache).0 > 0, "nothing was kept")
  }

  @Test func aDamagedOrRefusedEntryIsBuiltAnew() throws {
    let folder = try TemporaryFolder(), cache = folder.path + "/blobs"
    _ = try compiled(cache)
    let (count, result) = try compiled(cache, .binariesRefused)
    #expect(count > 0 && result.outcome == .pass, "\(result)")
    for file in try FileManager.default.contentsOfDirectory(atPath: cache) where file.hasSuffix(".blob") {
      var bytes = try Data(contentsOf: URL(fileURLWithPath: cache + "/" + file))
      bytes[bytes.count / 2] ^= 0x55
      try bytes.write(to: URL(fileURLWithPath: cache + "/" + file))
    }
    let (again, mended) = try compiled(cache)
    #expect(again > 0 && mended.outcome == .pass, "\(mended)")
    #expect(try compiled(cache).0 == 0, "what was built anew is kept")
  }

  // MARK: Features and quirks

  /// A kernel that wants extensions is chosen where the driver has them, and not where a quirk says otherwise: seen by its wrong results.
  @Test func extensionsAreFeaturesUnlessAQuirkWithholdsThem() throws {
    let loader = try loader, folder = try TemporaryFolder()
    try OpenCLHost.writeRelu("v + 1", folder, features: ["fp16", "subgroups", "integer_dot_product"])
    func outcome(_ fault: FaultyLoader.Fault) throws -> CaseResult.Outcome {
      try loader.with(fault) { OpenCLHost.outcome(relu, try loader.runtime(["kernels.folder": folder.path]).device("opencl")).outcome }
    }
    #expect(try outcome(.moreExtensions) == .fail)
    try #"{"format": 1, "quirks": [{"name": "no_half", "why": "a test", "match": {"platform": "*"}, "without": ["fp16"]}]}"#
      .write(toFile: folder.path + "/opencl/quirks.json", atomically: true, encoding: .utf8)
    #expect(try outcome(.moreExtensions) == .pass)
  }

  @Test func quirksCanBeSwitchedOff() throws {
    let id = "matmul/a=f16.9x64/b=q8_0.33x64/data=normal/mem=plain"
    for setting in ["on", "off"] {
      let device = try loader.runtime(["opencl.quirks": setting]).device("opencl")
      #expect(OpenCLHost.outcome(id, device).outcome == .pass)
      #expect(setting == "on" || device.info[property: "quirks"] == nil)
    }
    do {
      _ = try loader.runtime(["opencl.quirks": "some"]).device("opencl")
      Issue.record("a setting that does not exist was taken")
    } catch { #expect("\(error)".contains("valid are on, off"), "\(error)") }
  }
}
