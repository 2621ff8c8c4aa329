/// When what is not needed any more is taken away from the node (`spec/05 §2.2–2.3, §23.2, §24`).
package struct GarbagePolicy: Sendable, Hashable {
    /// `minimumGCAge`: a container that has ended stays at least this long.
    package var minimumContainerAge = Duration.zero
    /// `maxPerPodContainerCount`: ended containers kept for each container of a pod; negative: all.
    package var containersKept = 1
    /// `maxContainerCount`: ended containers kept on the node; negative: no limit.
    package var containersKeptInAll = -1
    /// `imageGCHighThresholdPercent`: use of the images' file system from which images go; 100: never.
    package var imageHighPercent: Int64 = 85
    /// `imageGCLowThresholdPercent`: the use they go down to.
    package var imageLowPercent: Int64 = 80
    /// `imageMinimumGCAge`: an image that was seen first within this time stays.
    package var minimumImageAge = Duration.seconds(120)
    /// `podSandboxImage`: never removed.
    package var sandboxImage = ""
    /// `containerLogMaxSize`, bytes.
    package var logSize: Int64 = 10 << 20
    /// `containerLogMaxFiles`: the log that is written to and the older ones, at least 2.
    package var logFiles = 5

    package init() {}
}

/// What a pod of the node means for what may be taken away.
package struct PodStanding: Sendable, Hashable {
    /// Nothing of the pod runs or will run again; its status is known without its containers.
    package var hasEnded: Bool
    /// The images that it names.
    package var images: Set<String>

    package init(hasEnded: Bool, images: Set<String> = []) {
        self.hasEnded = hasEnded
        self.images = images
    }
}
