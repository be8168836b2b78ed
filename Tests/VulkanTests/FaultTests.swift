import BackplaneConformance
import BackplaneCore
import BackplaneRegistry
import BackplaneRuntime
import Foundation
import Glibc
import Testing
import _TestSupport

/// A loader in front of the machine's own (`Tests/Fixtures/vulkan/faulty_loader.c`) that answers wrongly when it is told to.
private final class FaultyLoader: @unchecked Sendable {
  enum Fault: Int32 { case none, noMemory, noPipeline, noSubmit, lost, clocks }
  let path: String
  private let fault, clocks: UnsafeMutablePointer<Int32>
  private let folder: TemporaryFolder
  /// Devices live as long as their runtime.
  private var kept: [Runtime] = []

  init() throws {
    folder = try TemporaryFolder()
    path = folder.path + "/libfaulty.so"
    try Tool("cc", "gcc", "clang").run(["-shared", "-fPIC", "-I" + packageFolder + "/Kernels/Vulkan/host/include", packageFolder + "/Tests/Fixtures/vulkan/faulty_loader.c", "-o", path])
    let handle = dlopen(path, RTLD_NOW)
    func variable(_ name: String) throws -> UnsafeMutablePointer<Int32> { try #require(dlsym(handle, name)).assumingMemoryBound(to: Int32.self) }
    (fault, clocks) = (try variable("bp_test_fault"), try variable("bp_test_clocks"))
  }

  var clockReadings: Int { Int(clocks.pointee) }

  func with<T>(_ fault: Fault, _ body: () throws -> T) rethrows -> T {
    self.fault.pointee = fault.rawValue
    defer { self.fault.pointee = 0 }
    return try body()
  }

  func device(_ settings: [String: String] = [:]) throws -> Device {
    kept.append(VulkanHost.runtime(settings.merging(["vulkan.library": path]) { a, _ in a }))
    return try kept.last!.device("vulkan")
  }
}

/// What a driver does when all is not well: an error that says so, and the host lives on.
@Suite(.enabled(if: Machine.hasDevice, "there is no Vulkan driver (mesa-vulkan-drivers)"), .serialized) struct FaultTests {
  private static let loader = Result { try FaultyLoader() }
  private var loader: FaultyLoader { get throws { try FaultTests.loader.get() } }
  private let relu = "relu/x=f32.7/data=normal/mem=plain"
  private func outcome(_ device: Device) -> CaseResult { VulkanHost.outcome(relu, device) }

  /// No fault is injected: the device has not got that much.
  @Test func memoryBeyondTheHeapIsAnError() throws {
    let device = try loader.device()
    for size in [1 << 44, 1 << 60, Int.max] {
      let error = #expect(throws: BackplaneError.self) { try device.makeBuffer(byteCount: size, usage: .input) }
      #expect(error?.kind == .outOfDeviceMemory && error?.message.contains("out of device memory") == true, "\(String(describing: error))")
    }
    #expect(outcome(device).outcome == .pass)
  }

  @Test func memoryThatRunsOutIsAnError() throws {
    let loader = try loader, device = try loader.device()
    let error = loader.with(.noMemory) { #expect(throws: BackplaneError.self) { try device.makeBuffer(byteCount: 64, usage: .input) } }
    #expect(error?.kind == .outOfDeviceMemory && error?.message.contains("vkAllocateMemory of 64 bytes") == true, "\(String(describing: error))")
    #expect(outcome(device).outcome == .pass, "when there is some again, it works")
  }

  @Test(arguments: [(2 as Int32, "vkCreateComputePipelines of ", "out of host memory"), (3, "vkQueueSubmit", "out of device memory")])
  func aCallThatFindsNoMemoryIsNamed(_ fault: Int32, _ call: String, _ why: String) throws {
    let loader = try loader, device = try loader.device()
    let result = loader.with(.init(rawValue: fault)!) { outcome(device) }, message = result.message ?? ""
    #expect(result.outcome == .fail && message.contains(call) && message.contains(why), "\(result)")
    #expect(outcome(device).outcome == .pass)
  }

  @Test func aDeviceThatIsLostSaysSoFromThenOn() throws {
    let loader = try loader, device = try loader.device()
    #expect(loader.with(.lost) { outcome(device) }.outcome == .fail)
    let error = #expect(throws: BackplaneError.self) { try device.makeBuffer(byteCount: 64, usage: .input) }
    #expect(error?.kind == .deviceLost, "\(String(describing: error))")
    #expect(outcome(try loader.device()).outcome == .pass, "a new instance works")
  }

  @Test func aDamagedPipelineCacheIsLeftAndWrittenAnew() throws {
    let loader = try loader, folder = try TemporaryFolder(), cache = folder.path + "/blobs"
    func files() throws -> [URL] { try FileManager.default.contentsOfDirectory(atPath: cache).filter { $0.hasSuffix(".blob") }.map { URL(fileURLWithPath: cache + "/" + $0) } }
    #expect(outcome(try loader.device(["cache.directory": cache])).outcome == .pass)
    let file = try #require(try files().first)
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 0x55
    try bytes.write(to: file)
    #expect(outcome(try loader.device(["cache.directory": cache])).outcome == .pass)
    #expect(try Data(contentsOf: file) != bytes)
  }

  /// With VK_EXT_calibrated_timestamps both clocks are read at once; without, a submission takes the time.
  @Test func clocksAreReadTogetherWhereTheDriverCan() throws {
    let loader = try loader, before = loader.clockReadings
    let plain = try loader.device().clock()
    #expect(loader.clockReadings == before && plain.max_deviation_ns > 0 && plain.device_ticks > 0)
    try loader.with(.clocks) {
      let device = try loader.device(), clock = try device.clock()
      #expect(loader.clockReadings == before + 1 && clock.max_deviation_ns == 77 && clock.device_ticks == clock.host_ns)
      #expect(outcome(device).outcome == .pass)
    }
  }
}
