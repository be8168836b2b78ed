// swift-tools-version: 6.2
import PackageDescription

// An application: it depends on Backplane and on nothing else. Plugins are found when it runs.
let package = Package(
  name: "story",
  dependencies: [.package(name: "backplane", path: "../../..")],
  targets: [.executableTarget(name: "Story", dependencies: [.product(name: "Backplane", package: "backplane")])]
)
