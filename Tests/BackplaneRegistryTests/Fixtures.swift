import BackplaneRegistry
import Foundation
import Testing
import _TestSupport

/// Plugins in C, each built once with the machine's compiler, outside the package.
enum Fixtures {
  /// A library made from `Tests/Fixtures/plugins/NAME.c`.
  static func library(_ name: String) throws -> String { try built.get().path + "/lib\(name).so" }

  /// The folder with all of them.
  private static let built = Result {
    let folder = try TemporaryFolder(removedAtExit: true)
    let sources = packageFolder + "/Tests/Fixtures/plugins"
    let names = try FileManager.default.contentsOfDirectory(atPath: sources).filter { $0.hasSuffix(".c") }
    let compiler = try Tool("cc")
    for name in names {
      try compiler.run(["-std=gnu11", "-shared", "-fPIC", "-fvisibility=hidden", "-I", packageFolder + "/Sources/BackplaneABI/include",
                        sources + "/" + name, "-o", folder.path + "/lib" + name.dropLast(2) + ".so"])
    }
    return folder
  }

  static var folder: String { get throws { try built.get().path } }

  /// `Plugins/Template`, copied with the header into an empty folder and built there by a plain C compiler.
  static func template() throws -> String { try templateBuilt.get().path + "/libtemplate.so" }

  private static let templateBuilt = Result {
    let folder = try TemporaryFolder(removedAtExit: true)
    let include = packageFolder + "/Sources/BackplaneABI/include"
    try FileManager.default.createDirectory(atPath: folder.path + "/include", withIntermediateDirectories: false)
    for header in try FileManager.default.contentsOfDirectory(atPath: include) where header.hasSuffix(".h") {
      try FileManager.default.copyItem(atPath: include + "/" + header, toPath: folder.path + "/include/" + header)
    }
    try FileManager.default.copyItem(atPath: packageFolder + "/Plugins/Template/template.c", toPath: folder.path + "/template.c")
    try Tool("cc").run(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-Iinclude", "template.c",
                        "-o", "libtemplate.so", "-lm"], in: folder.path)
    return folder
  }

  /// The probe that was built with this test.
  static func probe(timeout: Duration = .seconds(10)) throws -> PluginProbe {
    try #require(PluginProbe.installed(timeout: timeout), "backplane-probe does not lie beside the test")
  }

  /// A registry of nothing but these libraries.
  static func registry(_ paths: [String], policy: ProbePolicy = .always, timeout: Duration = .seconds(10), cachePath: String? = nil) throws -> PluginRegistry {
    PluginRegistry(host: .minimal(), search: .only(paths), policy: policy, probe: try probe(timeout: timeout), cachePath: cachePath)
  }
}
