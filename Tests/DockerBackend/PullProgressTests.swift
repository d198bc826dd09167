import Core
import Testing

@testable import DockerBackend

@Suite struct PullProgressTests {
    private func downloading(_ layer: String, _ done: Int64, _ total: Int64) -> JSONValue {
        [
            "id": .string(layer), "status": "Downloading",
            "progressDetail": ["current": .integer(done), "total": .integer(total)],
        ]
    }

    /// An engine that has all bytes at once tells of the first of them, and then that the layer is there.
    @Test func aLayerThatIsThereIsWhole() {
        var progress = PullProgress()
        #expect(progress.total == nil)
        let whole: JSONValue = ["id": "a", "status": "Download complete", "progressDetail": [:]]
        let events = [downloading("a", 10, 100), downloading("b", 5, 50), whole, whole, downloading("b", 50, 50)]
        var told: [Int64] = []
        for event in events where progress.take(event) { told.append(progress.done) }
        #expect(told == [10, 15, 105, 150], "that a layer is whole is no news twice")
        #expect(progress.total == 150)
    }

    @Test func whatIsNoProgressIsLeftOut() {
        var progress = PullProgress()
        let events: [JSONValue] = [
            ["status": "Pulling from library/debian"],
            ["id": "a", "status": "Download complete"],
            ["id": "a", "status": "Downloading", "progressDetail": ["current": "1"]],
        ]
        for event in events {
            let isProgress = progress.take(event)
            #expect(!isProgress, "\(event)")
        }
        #expect(progress.done == 0 && progress.total == nil)
    }
}
