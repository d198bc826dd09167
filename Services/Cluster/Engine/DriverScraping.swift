internal import ClusterBackend
internal import Core
internal import HarbourProtocol
internal import ServiceClients

extension ClusterEngine {
    /// The metrics of the drivers that run, asked for all at once. A driver that does not answer is told with its
    /// reason: one that hangs must not hide the others.
    func scrapeDrivers() async -> DriverScrapeList {
        let controllers = runningControllers
        let scrapes = await withTaskGroup(of: DriverScrape?.self) { group in
            for controller in controllers { group.addTask { await controller.scrapeDriver() } }
            return await group.reduce(into: [DriverScrape]()) { found, scrape in
                if let scrape { found.append(scrape) }
            }
        }
        return DriverScrapeList(clusters: scrapes.sorted { $0.clusterID < $1.clusterID })
    }
}

extension ClusterController {
    /// The metrics of the driver; nil when there is none to talk to.
    func scrapeDriver() async -> DriverScrape? {
        guard let link else { return nil }
        do {
            let metrics = try await link.client.call(DriverAPI.getMetrics, .init(), context: .within(.seconds(5)))
            return DriverScrape(clusterID: id.text, text: metrics.text)
        } catch {
            return DriverScrape(clusterID: id.text, message: error.message)
        }
    }
}
