import Core
import HarbourProtocol
import ServiceClients
import TestSupport
import Testing

/// Jobs as files, by the real command line against the real scheduler.
@Suite struct JobsAsCodeTests {
    private static let nightly = """
        name: nightly
        tasks:
        - task_key: a
          notebook_task:
            notebook_path: /a
          job_cluster_key: main
        - task_key: b
          depends_on:
          - task_key: a
          notebook_task:
            notebook_path: /b
          job_cluster_key: main
        job_clusters:
        - job_cluster_key: main
          new_cluster:
            cluster_name: main
        schedule:
          quartz_cron_expression: 0 0 6 * * ?
          timezone_id: Europe/Berlin
        tags:
          'on': 'yes'

        """

    @Test func aJobIsMadeShownChangedAndLeftAlone() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            let file = try harbour.write("nightly.yaml", Self.nightly)
            // Nothing happens where nobody can be asked.
            let refusal = try await harbour.run(["jobs", "apply", file])
            #expect(!refusal.isSuccess && refusal.errors.contains("--yes"))
            #expect(refusal.output.contains("+ nightly"))
            #expect(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.isEmpty)

            #expect(try await harbour.succeed("jobs", "apply", file, "--yes").contains("is made"))
            let job = try #require(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.first)
            #expect(job.nextFireTime != nil)
            #expect(try await harbour.succeed("jobs", "export", "nightly") == Self.nightly)
            let json = try await harbour.succeed("jobs", "export", "\(job.jobID)", "--format", "json")
            #expect(try JobSpec(json: Array(json.utf8)) == job.settings)

            // The same again changes nothing, and asks nothing.
            #expect(try await harbour.succeed("jobs", "apply", file).contains("= nightly"))
            let same = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID))
            #expect(same.updatedTime == job.updatedTime)
            _ = try await harbour.succeed("jobs", "diff", file, "--exit-code")

            let changed = try harbour.write(
                "changed.yaml",
                Self.nightly.split(separator: "\n").map {
                    $0.contains("0 0 6") ? "  quartz_cron_expression: 0 0 7 * * ?" : $0
                }.joined(separator: "\n"))
            let diff = try await harbour.run(["jobs", "diff", changed, "--exit-code"])
            #expect(diff.status == 1)
            for bad in [["/nowhere.yaml"], [try harbour.write("bad.yaml", "name: 1")], []] {
                let error = try await harbour.run(["jobs", "diff", "--exit-code"] + bad)
                #expect(error.status == 2, "\(error.errors)")
            }
            #expect(try await harbour.succeed("jobs", "diff", "--help").contains("with 2 after an error"))
            #expect(diff.output.contains("-   quartz_cron_expression: 0 0 6 * * ?"))
            #expect(diff.output.contains("+   quartz_cron_expression: 0 0 7 * * ?"))
            _ = try await harbour.succeed("jobs", "apply", changed, "--yes")
            let after = try await fixture.client.call(SchedulerAPI.getJob, .init(jobID: job.jobID))
            #expect(after.settings.schedule?.quartzCronExpression == "0 0 7 * * ?")
            #expect(after.jobID == job.jobID)
        }
    }

    @Test func aCheckTellsTheNextTimesAndTheFile() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            _ = try await harbour.succeed("jobs", "apply", try harbour.write("nightly.yaml", Self.nightly), "--yes")
            let job = try #require(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.first)
            var spec = job.settings
            let plain = try await fixture.client.call(SchedulerAPI.checkJob, .init(body: spec))
            #expect(plain.yaml == nil && plain.problems.isEmpty)
            let times = try #require(plain.nextFireTimes)
            #expect(times.count == 5 && times.first == job.nextFireTime)
            // Paused or not: the times are what somebody who unpauses it would get.
            spec.schedule?.pauseStatus = .paused
            spec.schedule?.quartzCronExpression = "0 0 6 1 1 ? 2099"
            let rare = try await fixture.client.call(SchedulerAPI.checkJob, .init(yaml: true, body: spec))
            #expect(rare.nextFireTimes?.count == 1)
            #expect(rare.yaml?.contains("pause_status: PAUSED") == true)
            let same = try await fixture.client.call(SchedulerAPI.checkJob, .init(yaml: true, body: job.settings))
            #expect(same.yaml == Self.nightly)
            // An interval counts from the moment in which it is set; a wrong schedule has no times.
            spec.schedule = nil
            spec.trigger = TriggerSettings(periodic: PeriodicTrigger(interval: 2, unit: .hours))
            let often = try #require(
                try await fixture.client.call(SchedulerAPI.checkJob, .init(body: spec)).nextFireTimes)
            #expect(zip(often, often.dropFirst()).allSatisfy { $1.milliseconds - $0.milliseconds == 7_200_000 })
            spec.trigger = nil
            spec.schedule = JobSchedule(quartzCronExpression: "0 0", timezoneID: "UTC")
            let wrong = try await fixture.client.call(SchedulerAPI.checkJob, .init(body: spec))
            #expect(wrong.nextFireTimes == nil && wrong.problems.map(\.path) == ["/schedule"])
        }
    }

    @Test func allThatIsWrongIsSaidBeforeAnythingIsDone() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            let good = try harbour.write("good.yaml", Self.nightly)
            let bad = try harbour.write(
                "bad.yaml",
                """
                name: bad
                tasks:
                - task_key: a
                  depends_on: [{task_key: c}, {task_key: missing}]
                  shell_task: {command: "true"}
                - task_key: c
                  depends_on: [{task_key: a}]
                  job_cluster_key: nowhere
                  shell_task: {command: "true"}
                schedule: {quartz_cron_expression: "* *", timezone_id: UTC}
                ---
                name: worse
                task: []
                """)
            let said = try await harbour.fail("jobs", "apply", good, bad, "--yes")
            #expect(said.contains("bad.yaml:12:1: The document needs the field `tasks`."), "\(said)")
            #expect(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.isEmpty)

            // The scheduler's own checks, once the file has the right form.
            let formed = try harbour.write(
                "formed.yaml", String(harbour.read(bad).prefix { $0 != "\u{0}" }).components("---\n")[0])
            let problems = try await harbour.fail("jobs", "apply", good, formed, "--yes")
            for line in [
                "formed.yaml:3:3: a needs exactly one of existing_cluster_id",
                "formed.yaml:4:31: a depends on missing", "formed.yaml:4:3: The tasks wait for each other: a -> c -> a",
                "formed.yaml:6:3: c runs on the job cluster nowhere", "formed.yaml:10:1: ",
            ] { #expect(problems.contains(line), "\(line) in \(problems)") }
            #expect(try await fixture.client.call(SchedulerAPI.listJobs, .init()).jobs.isEmpty)
            let twice = try await harbour.fail("jobs", "apply", good, good, "--yes")
            #expect(twice.contains("stands at"), "\(twice)")
        }
    }

    @Test func whatIsAppliedAtTheSameMomentIsOneJob() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            for round in 0..<3 {
                let name = "nightly-\(round)"
                let text = Self.nightly.split(separator: "\n").map { $0 == "name: nightly" ? "name: \(name)" : $0 }
                let file = try harbour.write("\(name).yaml", text.joined(separator: "\n"))
                let answers = try await withThrowingTaskGroup(of: HarbourProgram.Answer.self) { group in
                    for _ in 0..<4 { group.addTask { try await harbour.run(["jobs", "apply", file, "--yes"]) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                for answer in answers { #expect(answer.isSuccess, "\(answer.errors)") }
                let jobs = try await fixture.client.call(SchedulerAPI.listJobs, .init(name: name)).jobs
                #expect(jobs.count == 1)
            }
        }
    }

    /// The constraint itself, without the look before: it holds between schedulers.
    @Test func aUniqueNameIsUniqueToItsMakerUntilTheJobIsDeleted() async throws {
        try await SchedulerFixture.with { fixture in
            let task = TaskSpec(taskKey: "a", webhookTask: WebhookTask(url: "https://example.org/"))
            @Sendable func make(_ name: String, by user: String, unique: Bool = true) async throws -> String {
                let context = CallContext.within(.seconds(30), user: user)
                do {
                    let job = try await fixture.client.call(
                        SchedulerAPI.createJob, .init(uniqueName: unique, body: JobSpec(name: name, tasks: [task])),
                        context: context)
                    return "\(job.jobID)"
                } catch { return HarbourError.wrap(error).code.name }
            }
            let made = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<8 { group.addTask { try await make("one", by: "ada") } }
                return try await group.reduce(into: [String]()) { $0.append($1) }
            }
            #expect(made.count { $0 == "RESOURCE_ALREADY_EXISTS" } == 7, "\(made)")
            let jobID = try #require(made.compactMap { Int64($0) }.first)
            #expect(Int64(try await make("one", by: "bob")) != nil)
            #expect(Int64(try await make("one", by: "ada", unique: false)) != nil)
            _ = try await make("two", by: "ada")
            let rename = await #expect(throws: HarbourError.self) {
                _ = try await fixture.client.call(
                    SchedulerAPI.updateJob, .init(jobID: jobID, body: JobSpec(name: "two", tasks: [task])))
            }
            #expect(rename?.code == .alreadyExists)
            _ = try await fixture.client.call(SchedulerAPI.deleteJob, .init(jobID: jobID))
            #expect(try await make("two", by: "ada") == "RESOURCE_ALREADY_EXISTS")
        }
    }

    @Test func namesThatSeveralJobsHaveAreNotGuessed() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            let file = try harbour.write("nightly.yaml", Self.nightly)
            _ = try await harbour.succeed("jobs", "create", file)
            _ = try await harbour.succeed("jobs", "create", file)
            #expect(try await harbour.fail("jobs", "apply", file, "--yes").contains("2 jobs have the name nightly"))
            #expect(try await harbour.fail("jobs", "export", "nothing").contains("There is no job named nothing"))
        }
    }

    @Test func standardInputIsAFileToo() async throws {
        try await SchedulerFixture.with { fixture in
            let harbour = try await HarbourProgram(fixture)
            let answer = try await harbour.run(["jobs", "apply", "-", "--yes"], input: Self.nightly)
            #expect(answer.isSuccess, "\(answer.errors)")
            let json = try await harbour.run(["jobs", "diff", "-", "--output", "json"], input: Self.nightly)
            #expect(try JSONValue(json: Array(json.output.utf8))["jobs"]?[0]?["change"] == "same")
        }
    }
}

extension String {
    fileprivate func components(_ mark: String) -> [String] {
        var parts: [String] = [""]
        for line in split(separator: "\n", omittingEmptySubsequences: false) {
            if line + "\n" == mark { parts.append("") } else { parts[parts.count - 1] += line + "\n" }
        }
        return parts
    }
}
