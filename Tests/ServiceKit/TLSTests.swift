import Configuration
import Core
import Cryptography
import EventLoop
import HTTPClient
import HarbourProtocol
import ServiceClients
import ServiceKit
import TestSupport
import Testing

/// A service that speaks TLS, and asks for certificates.
@Suite struct TLSTests {
    @Test func clientsNeedACertificateWhenTheServiceSaysSo() async throws {
        let certificates = try TestCertificates()
        let server = try certificates.issue("localhost")
        let friend = try certificates.issue("friend")
        try await withEventLoop { loop in
            let service = try await ServiceRuntime.start(
                SampleService.definition(),
                arguments: [
                    "--listen", "127.0.0.1:0", "--service-token", "t", "--tls-certificate", server.certificate,
                    "--tls-key", server.key, "--tls-client-ca", certificates.authorityFile,
                ], loop: loop)
            let url = "https://localhost:\(try await service.address.port)"
            let trust = TLSClientConfiguration.Trust.authorityFile(certificates.authorityFile)
            var configuration = HTTPClientConfiguration()
            configuration.tls = TLSClientConfiguration(
                trust: trust, certificate: .init(chainFile: friend.certificate, privateKeyFile: friend.key))
            let http = HTTPClient(loop: loop, configuration: configuration)
            let client = try ServiceClient(http: http, baseURL: url, token: "t", service: "scheduler")
            #expect(try await client.call(SchedulerAPI.getJob, .init(jobID: 8)).jobID == 8)
            configuration.tls = TLSClientConfiguration(trust: trust)
            let stranger = HTTPClient(loop: loop, configuration: configuration)
            let refused = try ServiceClient(http: stranger, baseURL: url, token: "t", service: "scheduler")
            await #expect(throws: HarbourError.self) {
                try await refused.call(SchedulerAPI.getJob, .init(jobID: 8))
            }
            await http.close()
            await stranger.close()
            try await service.stop()
        }
    }

    @Test func halfASettingIsRefused() async throws {
        try await withEventLoop { loop in
            let error = await #expect(throws: HarbourError.self) {
                _ = try await ServiceRuntime.start(
                    SampleService.definition(), arguments: ["--service-token", "t", "--tls-key", "/x"], loop: loop)
            }
            #expect(error?.code == .invalidConfiguration)
        }
    }
}
