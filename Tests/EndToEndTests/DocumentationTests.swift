import Foundation
import Testing
import _TestSupport

/// `make docs`, from what is built already.
@Suite struct DocumentationTests {
  @Test func linksResolveAndArticlesCompile() throws {
    let folder = try TemporaryFolder()
    let swift = try _TestSupport.Tool("swift").path
    let made = try _TestSupport.Tool("env").attempt(["SWIFT=\(swift)", "BUILD=\(buildFolder)", "OUTPUT=\(folder.path)/docs", "bash", ".ci/docs"], in: packageFolder)
    #expect(made.status == 0, "\(made.output)\(made.error)")
    for page in ["backplane/session", "backplane/yourowngraph", "backplanemodels/firsttokens"] {
      #expect(FileManager.default.fileExists(atPath: "\(folder.path)/docs/documentation/\(page)/index.html"), "\(page)")
    }
  }
}
