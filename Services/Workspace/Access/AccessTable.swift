internal import HarbourProtocol

/// What each operation that the front door serves asks of its caller: the one place where this is written.
///
/// An operation that is not in it is for administrators alone, and a test fails until it is.
enum AccessTable {
    static func rule(of route: EndpointRoute) -> AccessRule {
        rules["\(route.service).\(route.operationID)"] ?? .administrators
    }

    static let rules: [String: AccessRule] =
        workspace.merging(cluster) { first, _ in first }.merging(scheduler) { first, _ in first }
        .merging(monitoring) { first, _ in first }

    // MARK: Workspace

    private static let workspace: [String: AccessRule] = [
        // People. Names are for everybody, because things are shared with them.
        "workspace.getMe": .signedIn,
        "workspace.createSession": .everybody,
        "workspace.getSession": .everybody,
        "workspace.deleteSession": .everybody,
        "workspace.createUser": .administrators,
        "workspace.listUsers": .signedIn,
        "workspace.getUser": .signedIn,
        "workspace.editUser": .administrators,
        "workspace.deleteUser": .administrators,
        "workspace.setPassword": .needs(.manage, .oneself(.parameter("user_name"))),
        "workspace.createGroup": .administrators,
        "workspace.listGroups": .signedIn,
        "workspace.getGroup": .signedIn,
        "workspace.deleteGroup": .administrators,
        "workspace.addGroupMember": .administrators,
        "workspace.removeGroupMember": .administrators,
        "workspace.createToken": .needs(.manage, .oneself(.body("user_name"))),
        "workspace.listTokens": .needs(.manage, .oneself(.query("user_name"))),
        // Whose token it is, the handler has to look up.
        "workspace.revokeToken": .signedIn,
        "workspace.createAccessToken": .everybody,
        "workspace.listAuditEvents": .administrators,
        "workspace.getStorage": .administrators,
        // Permissions.
        "workspace.getPermissions": .needs(.view, .permissionsObject),
        "workspace.setPermissions": .needs(.manage, .permissionsObject),
        "workspace.updatePermissions": .needs(.manage, .permissionsObject),
        "workspace.getPermissionLevels": .needs(.view, .permissionsObject),
        // The tree.
        "workspace.importObject": .needs(.edit, .path(.body("path"))),
        "workspace.exportObject": .needs(.view, .path(.query("path"))),
        // Of a folder on the way to something, that which may be seen.
        "workspace.exportFolder": .needs(.view, .passage(.query("path"))),
        "workspace.importFolder": .needs(.edit, .path(.body("path"))).and(.edit, .upload(.body("upload_id"))),
        "workspace.listObjects": .needs(.view, .passage(.query("path"))),
        "workspace.getObject": .needs(.view, .passage(.query("path"))),
        // Only what one may see is found, wherever one asks.
        "workspace.searchWorkspace": .needs(.view, .passage(.query("path"))),
        "workspace.makeDirectories": .needs(.edit, .path(.body("path"))),
        "workspace.deleteObject": .needs(.manage, .path(.body("path"))),
        "workspace.moveObject": .needs(.manage, .path(.body("source_path"))).and(
            .edit, .path(.body("destination_path"))),
        "workspace.copyObject": .needs(.view, .path(.body("source_path"))).and(
            .edit, .path(.body("destination_path"))),
        // The handler lists what one may restore.
        "workspace.listTrash": .signedIn,
        "workspace.purgeDeletion": .needs(.manage, .deletion(.parameter("deletion_id"))),
        "workspace.restoreDeletion": .needs(.manage, .deletion(.parameter("deletion_id"))).and(
            .edit, .restored(.parameter("deletion_id"))),
        "workspace.getNotebook": .needs(.view, .notebook(.parameter("notebook_id"))),
        "workspace.listRevisions": .needs(.view, .notebook(.parameter("notebook_id"))),
        // Files. Uploads are their user's own.
        "workspace.createUpload": .needs(.edit, .path(.body("path"))),
        "workspace.listUploads": .signedIn,
        "workspace.getUpload": .needs(.edit, .upload(.parameter("upload_id"))),
        "workspace.writeUpload": .needs(.edit, .upload(.parameter("upload_id"))),
        "workspace.abortUpload": .needs(.edit, .upload(.parameter("upload_id"))),
        "workspace.completeUpload": .needs(.edit, .upload(.parameter("upload_id"))),
        "workspace.uploadForm": .needs(.edit, .path(.query("path"))),
        "workspace.downloadFile": .needs(.view, .path(.query("path"))),
        "workspace.previewFile": .needs(.view, .path(.query("path"))),
        "workspace.listNotebooks": .signedIn,
        "workspace.createNotebook": AccessRule.members.and(.edit, .path(.body("folder"))),
        "workspace.importNotebook": .needs(.edit, .path(.body("path"))),
        "workspace.exportNotebook": .needs(.view, .notebook(.parameter("notebook_id"))),
        "workspace.deleteNotebook": .needs(.manage, .notebook(.parameter("notebook_id"))),
        "workspace.addCell": .needs(.edit, .notebook(.parameter("notebook_id"))),
        "workspace.deleteCell": .needs(.edit, .notebook(.parameter("notebook_id"))),
        "workspace.executeCell": .needs(.run, .notebook(.parameter("notebook_id"))),
        // What runs in notebooks. On which cluster, the handler asks: it may be the one that somebody else attached.
        "workspace.saveNotebook": .needs(.edit, .notebook(.parameter("notebook_id"))),
        "workspace.runCells": .needs(.run, .notebook(.parameter("notebook_id"))),
        "workspace.attachNotebook": .needs(.run, .notebook(.parameter("notebook_id"))),
        "workspace.interruptNotebook": .needs(.run, .notebook(.parameter("notebook_id"))),
        "workspace.restartKernel": .needs(.run, .notebook(.parameter("notebook_id"))),
        // What runs next goes by them, whoever runs it.
        "workspace.changeWidgets": .needs(.run, .notebook(.parameter("notebook_id"))),
        // It looks into the kernel's variables, and may run what is behind a name there.
        "workspace.completeInNotebook": .needs(.run, .notebook(.parameter("notebook_id"))),
        "workspace.inspectInNotebook": .needs(.run, .notebook(.parameter("notebook_id"))),
        "workspace.getNotebookExecution": .needs(.view, .notebook(.parameter("notebook_id"))),
        "workspace.getCellOutputs": .needs(.view, .notebook(.parameter("notebook_id"))),
        "workspace.streamNotebookEvents": .needs(.view, .notebook(.parameter("notebook_id"))),
        "workspace.readContent": AccessRule(audience: .services).and(.view, .path(.query("path"))),
        "workspace.readRevision": .services,
        // Of users that the request names: `RunChecks` goes by the levels of `AccessTargets`.
        "workspace.checkRuns": .services,
        // What is shown at a glance: only what one may see is counted.
        "workspace.getDashboardStats": .signedIn,
        "workspace.getDashboardTrends": .signedIn,
        "workspace.getDashboard": .signedIn,
        // Jobs in one request; the scheduler is asked as the user.
        "workspace.submitJob": AccessRule.members.and(.run, .cluster(.body("cluster_id"))),
        "workspace.killJob": job(.run),
        "workspace.restartJob": job(.run),
        "workspace.getJobLogs": job(.view),
        "workspace.getJobSparkPage": job(.view),
        // Secrets.
        "workspace.createSecretScope": .members,
        "workspace.deleteSecretScope": .needs(.manage, .scope(.body("scope"))),
        "workspace.listSecretScopes": .signedIn,
        "workspace.putSecret": .needs(.edit, .scope(.body("scope"))),
        "workspace.deleteSecret": .needs(.edit, .scope(.body("scope"))),
        "workspace.listSecrets": .needs(.view, .scope(.query("scope"))),
        "workspace.resolveSecrets": AccessRule(audience: .services).and(.view, .secretReferences),
    ]

    // MARK: Clusters

    private static func cluster(_ level: AccessLevel) -> AccessRule {
        .needs(level, .cluster(.parameter("cluster_id")))
    }

    private static let cluster: [String: AccessRule] = [
        "cluster.createCluster": AccessRule.members.andWhatIsUsed,
        "cluster.listClusters": .signedIn,
        "cluster.getCluster": cluster(.view),
        "cluster.watchCluster": cluster(.view),
        "cluster.listClusterEvents": cluster(.view),
        "cluster.streamClusterLogs": cluster(.view),
        "cluster.listClusterLogs": cluster(.view),
        "cluster.startCluster": cluster(.edit),
        "cluster.restartCluster": cluster(.edit),
        "cluster.terminateCluster": cluster(.edit),
        "cluster.deleteCluster": cluster(.manage),
        "cluster.resizeCluster": cluster(.manage),
        "cluster.editCluster": cluster(.manage).andWhatIsUsed,
        "cluster.pinCluster": cluster(.manage),
        "cluster.unpinCluster": cluster(.manage),
        // What runs on it, and what that put out.
        "cluster.createContext": cluster(.run),
        "cluster.listContexts": cluster(.run),
        "cluster.getContext": cluster(.run),
        "cluster.deleteContext": cluster(.run),
        "cluster.completeCode": cluster(.run),
        "cluster.inspectCode": cluster(.run),
        "cluster.executeCommand": cluster(.run),
        "cluster.getCommand": cluster(.run),
        "cluster.cancelCommand": cluster(.run),
        "cluster.streamCommandEvents": cluster(.run),
        "cluster.runCommand": cluster(.run),
        "cluster.readCommandOverflow": cluster(.run),
        "cluster.getSparkPage": cluster(.run),
        "cluster.postSparkPage": cluster(.run),
        "cluster.installLibraries": .needs(.manage, .cluster(.body("cluster_id"))),
        "cluster.uninstallLibraries": .needs(.manage, .cluster(.body("cluster_id"))),
        "cluster.listLibraryStatuses": .needs(.view, .cluster(.query("cluster_id"))),
        // What clusters may be: everybody has to know, administrators decide.
        "cluster.listBackends": .signedIn,
        "cluster.listNodeTypes": .signedIn,
        "cluster.validateCluster": .members,
        "cluster.listPolicies": .signedIn,
        "cluster.getPolicy": .signedIn,
        "cluster.putPolicy": .administrators,
        "cluster.deletePolicy": .administrators,
        "cluster.listQuotas": .administrators,
        "cluster.getQuota": .needs(.manage, .oneself(.parameter("user_name"))),
        "cluster.putQuota": .administrators,
        "cluster.deleteQuota": .administrators,
        "cluster.createPool": .administrators,
        "cluster.listPools": .signedIn,
        "cluster.getPool": .signedIn,
        "cluster.editPool": .administrators,
        "cluster.deletePool": .administrators,
        "cluster.scrapeDrivers": .services,
        "cluster.streamClusterChanges": .services,
        "cluster.confirmCommands": .services,
    ]

    // MARK: Jobs

    private static func job(_ level: AccessLevel) -> AccessRule { .needs(level, .job(.parameter("job_id"))) }
    private static func run(_ level: AccessLevel) -> AccessRule { .needs(level, .run(.parameter("run_id"))) }

    private static let scheduler: [String: AccessRule] = [
        "scheduler.createJob": AccessRule.members.andWhatIsUsed,
        "scheduler.checkJob": AccessRule.members.andWhatIsUsed,
        "scheduler.listJobs": .signedIn,
        // Shows those that the caller may bring back.
        "scheduler.listDeletedJobs": .signedIn,
        "scheduler.getJob": job(.view),
        "scheduler.getJobStats": job(.view),
        "scheduler.updateJob": job(.manage).andWhatIsUsed,
        "scheduler.deleteJob": job(.manage),
        // Who could delete it can undo that.
        "scheduler.restoreJob": job(.manage),
        "scheduler.runNow": job(.run),
        "scheduler.createBackfill": job(.run),
        "scheduler.listBackfills": job(.view),
        "scheduler.getBackfill": .needs(.view, .backfill(.parameter("backfill_id"))),
        "scheduler.cancelBackfill": .needs(.run, .backfill(.parameter("backfill_id"))),
        "scheduler.submitRun": AccessRule.members.andWhatIsUsed,
        "scheduler.listRuns": .signedIn,
        "scheduler.getRun": run(.view),
        "scheduler.cancelRun": run(.run),
        "scheduler.repairRun": run(.run),
        "scheduler.getTaskOutput": run(.view),
        "scheduler.streamRunEvents": run(.view),
        "scheduler.streamRunChanges": .services,
        "scheduler.streamJobChanges": .services,
        "scheduler.getJobOwner": .services,
        "scheduler.listJobOwners": .services,
        "scheduler.countRuns": .services,
    ]

    // MARK: Monitoring

    /// Figures of the platform hold nothing of what people write; its logs may, and are the operator's.
    private static let monitoring: [String: AccessRule] = [
        "monitoring.listTargets": .signedIn,
        "monitoring.listMetricNames": .signedIn,
        "monitoring.queryMetrics": .signedIn,
        "monitoring.getMonitoringOverview": .signedIn,
        "monitoring.getServiceLog": .administrators,
    ]
}
