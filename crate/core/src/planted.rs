//! Bugs planted on purpose, one at a time, to show that the tests can fail (`npm run mutants`).
//!
//! Without the feature `planted` every question is answered by the constant `false`: nothing of this is in a release.

macro_rules! bugs {
    ($($(#[$line:meta])* $name:ident,)*) => {
        /// One wrong thing that the engine does when it is asked to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug { $($(#[$line])* $name,)* }

        #[cfg(feature = "planted")]
        const BUGS: &[Bug] = &[$(Bug::$name),*];
    };
}

// scripts/mutants.mjs reads this list.
bugs! {
    /// No fdatasync before a group is acknowledged.
    NoDataSync,
    /// A group is acknowledged when it is written, before its sync.
    AcknowledgedBeforeSync,
    /// A group of several parts is acknowledged when only its first part is written.
    FirstPartAcknowledged,
    /// A direct write does not keep what stands before it in its first block.
    BlockNotKept,
    /// A part written from its own memory does not bring what stands before it in its first block.
    BlockNotBrought,
    /// A short write is taken for a whole one.
    ShortWriteBelieved,
    /// A failed sync is retried, and its success is believed.
    FailedSyncRetried,
    /// A failed sync is passed over.
    FailedSyncIgnored,
    /// Who waits when the log fails is never answered.
    WaitersLeftHanging,
    /// The live mark is written before the sync has returned.
    MarkBeforeSync,
    /// Stage 1 stamps `durable_to`: every frame claims that its own group is durable up to it.
    DurableToByStage1,
    /// The folder is not synced when a segment gets its name.
    NoFolderSync,
    /// The folders above a new log are not synced.
    NoParentSync,
    /// Recovery takes a footer for a whole seal, whatever became of the index before it.
    FooterBelieved,
    /// With durability 'os' a segment is sealed before its successor is durable.
    SealedBeforeSuccessor,
    /// After a reopen the head does not continue that of the records on disk.
    HeadNotContinued,
    /// A frame's checksum is not compared.
    CrcIgnored,
    /// A frame's seal is not compared.
    SealIgnored,
    /// The check that binds a frame to its place leaves out the position.
    PositionNotBound,
    /// A frame's length and its other fields are trusted before its check.
    LengthTrusted,
    /// Zero-filled space is read as records.
    ZerosReadAsRecords,
    /// Recovery does not look for the end of a batch.
    BatchEndNotChecked,
    /// Recovery leaves the bytes behind the last batch where they are.
    StaleBytesKept,
    /// Recovery does not keep what it cuts.
    CutBytesNotKept,
    /// A cut is not synced.
    CutNotSynced,
    /// A read error is taken for the end of the file.
    ReadErrorAsEnd,
    /// Recovery does not write the bytes that it keeps again.
    KeptBytesNotRewritten,
    /// Recovery cuts at the first bad frame, whatever sound frames behind it state.
    LaterFramesIgnored,
    /// Recovery cuts at the first bad frame, whatever a mark states.
    MarksIgnored,
    /// A payload that imitates a frame is believed when recovery looks for later frames.
    ImitationBelieved,
    /// A stored head is extended without recomputing it.
    StoredHeadExtended,
    /// A segment sealed with another secret is accepted beside sound ones.
    WrongSecretAccepted,
    /// A head that the caller kept is compared with the log's size only.
    KeptHeadNotCompared,
    /// A reader beside a writer looks into the segment after the one that the live mark names.
    RotationShown,
    /// Without a writer a reader shows what may live in memory only.
    ShownUnsynced,
    /// A reader takes the live mark for the end of the log, though no writer is at work.
    StaleMarkBelieved,
    /// One record is taken from a frame that is decompressed half as far as the record reaches.
    StartTooShort,
    /// Reading believes the index about which records a frame holds.
    IndexBelieved,
    /// `verify` does not see an index entry that points into a payload.
    IndexNotVerified,
    /// `verify` does not see a head that does not recompute.
    HeadNotVerified,
    /// `verify` does not see a segment sealed with another secret.
    SecretNotVerified,
    /// `verify` does not see that the tail was cut under a live log.
    CutTailNotVerified,
}

/// Is this bug planted in this process? `VARVE_PLANT` names it; read once.
#[cfg(feature = "planted")]
pub fn planted(bug: Bug) -> bool {
    static PLANTED: std::sync::LazyLock<Option<Bug>> = std::sync::LazyLock::new(|| {
        let name = std::env::var("VARVE_PLANT").ok()?;
        BUGS.iter().copied().find(|bug| format!("{bug:?}") == name)
    });
    *PLANTED == Some(bug)
}

/// Is this bug planted? Never, without the feature.
#[cfg(not(feature = "planted"))]
#[inline(always)]
pub const fn planted(_: Bug) -> bool {
    false
}
