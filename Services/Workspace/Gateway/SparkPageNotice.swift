internal import Core
internal import HTTPMessage

/// What somebody reads in place of Spark's pages when a ticket does not open them. It is ours, and has no script.
enum SparkPageNotice {
    private static let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    /// The ticket is none of this platform's.
    static var unknown: HTTPResponse {
        page(
            status: 403, "This address opens no pages of Spark's",
            "It was not made by this platform, or is not whole. Open the pages from the cluster.",
            link: ("Clusters", "/clusters"))
    }

    /// The ticket's time is over, or somebody signed out.
    /// - Parameter again: the address at which who is signed in gets another for the same page.
    static func ended(again: String) -> HTTPResponse {
        page(
            status: 403, "This address of Spark's pages has ended",
            "It lasts for an hour, and no longer than you are signed in. Open the pages again to read on.",
            link: ("Open again", again))
    }

    /// The ticket is good, and its user may no longer see the cluster.
    static func refused(_ error: HarbourError) -> HTTPResponse {
        page(
            status: error.code.status, "These pages of Spark's are not open to you", error.message,
            link: ("Clusters", "/clusters"))
    }

    private static func page(
        status: Int, _ title: String, _ text: String, link: (text: String, address: String)
    ) -> HTTPResponse {
        let body = """
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <title>\(escaped(title))</title>
            <style>
            :root { color-scheme: light dark; }
            body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 18vh auto 0; padding: 0 1.5rem; }
            h1 { font-size: 1.35rem; }
            a { display: inline-block; padding: .4rem .9rem; border: 1px solid; border-radius: .4rem; text-decoration: none; }
            </style>
            <main><h1>\(escaped(title))</h1><p>\(escaped(text))</p>
            <a href="\(escaped(link.address))">\(escaped(link.text))</a></main></html>
            """
        return HTTPResponse(
            status: status,
            fields: [
                "content-type": "text/html; charset=utf-8", "content-security-policy": policy,
                "cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff",
                "cross-origin-resource-policy": "same-origin",
            ],
            body: .bytes(Array(body.utf8)))
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("\"", with: "&quot;")
    }
}
