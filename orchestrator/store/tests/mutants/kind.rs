//! What is wrong with a store.

/// A guard that is broken. The order is that of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing is.
    None,
    /// The epoch of an append is not looked at.
    EpochUnchecked,
    /// The current epoch of any shard does for every shard.
    EpochOfAnyShard,
    /// The epoch is looked at in the first shard only.
    EpochOfTheFirstShardChecked,
    /// The epoch is looked at in the first append of a batch only.
    EpochOfTheFirstAppendChecked,
    /// An epoch that is higher than the current one is accepted.
    HigherEpochAccepted,
    /// Acquiring again answers the leases of before.
    EpochDrawnTwice,
    /// A lost lease is told that its append is committed.
    FencedAnsweredCommitted,
    /// A restart takes all leases away.
    RestartFences,
    /// One lost lease fences the whole batch.
    FencedTakesAll,
    /// Whether an append is there already is looked at before its epoch.
    RepeatBeforeFence,
    /// A malformed append of a lost lease is fenced.
    FenceBeforeDoor,
    /// Whether a key is taken is looked at before the epoch.
    KeyBeforeFence,
    /// A key that another saga has is no hindrance.
    KeyNotUnique,
    /// A key that a saga of another shard has is no hindrance.
    KeyOfItsShard,
    /// Keys are compared with what was there before the batch only.
    KeyUnseenWithinABatch,
    /// All scopes are one.
    ScopeForgotten,
    /// Scope and key are one text.
    ScopeRunIntoKey,
    /// Keys are compared without their case.
    KeyWithoutCase,
    /// The hash of the request is not kept.
    HashForgotten,
    /// A saga may start with a blocked key.
    BlockedKeyStarts,
    /// Blocking a key that is in use is answered as if it were blocked.
    BlocksUsedKeys,
    /// A start that is not written takes its key all the same.
    LoserKeepsItsKey,
    /// Records behind a hole move up into it.
    HoleAccepted,
    /// That a saga has ended is not kept.
    EndForgotten,
    /// An append under another shard than the saga's is taken for one under its own.
    AnotherShard,
    /// An append under another root than the saga's is taken for one under its own.
    AnotherRoot,
    /// Every append is a commit of its own.
    FateOfItsOwn,
    /// The verdicts come in another order.
    VerdictsReversed,
    /// What is refused is answered as committed.
    RefusedAnsweredCommitted,
    /// One refusal is answered to everybody in the batch.
    OneRefusalForAll,
    /// Other bytes under numbers that are there are taken for a repeat.
    OtherBytesAnsweredCommitted,
    /// A repeat is not recognised and is written behind what is there.
    RepeatWritesAgain,
    /// A repeat brings back the status of then.
    RepeatSetsStatus,
    /// The last record of a journal is not read.
    LoadsAPrefix,
    /// What was answered is gone after a restart.
    RestartForgets,
    /// Recovery does not find sagas that wait.
    WaitingNotRecovered,
    /// A parked saga is taken for one that has ended, where the oldest is asked for.
    ParkedNotOldest,
    /// The oldest of one shard is taken for that of all.
    OldestOfTheFirstShard,
    /// What of a family is parked is not found.
    ParkedNotOfFamily,
    /// A family is found with its root.
    FamilyWithItsRoot,
    /// Recovery takes up parked sagas.
    ParkedRecovered,
    /// The last row of a page is lost when another page follows.
    ListSkips,
    /// The last row of a page comes again on the next one.
    ListRepeats,
    /// Pages after the first show sagas of every definition and time.
    FiltersOfTheFirstPage,
    /// Only sagas of the first shard are listed.
    ListsTheFirstShard,
    /// Events are not written.
    EventsDropped,
    /// The events of an append that is not written are published.
    EventsOfTheLost,
    /// A saga's events are counted with those of its lane.
    SequenceOfTheLane,
    /// The newest events are published first.
    LaneBackwards,
    /// The watermark moves over an event that was not published.
    MarkPastAGap,
    /// What is published in one lane is published in every lane.
    EveryLanePublished,
    /// Parking a poisoned event does nothing.
    PoisonNotHeld,
    /// A poisoned event is held back, and later ones of its root are not.
    OnlyPoisonHeld,
    /// A poisoned event holds back its whole lane.
    LaneHeld,
    /// What is parked is pending again after a restart.
    RestartUnparks,
    /// Events are forgotten as soon as they are published.
    LanePurgedEarly,
    /// Parking a published event parks what its root publishes next.
    PublishedParked,
    /// Nobody is woken.
    BellSilent,
    /// Parked sagas are forgotten.
    ParkedPurged,
    /// Running sagas are forgotten.
    RunningPurged,
    /// Finished sagas are forgotten at once.
    PurgedYoung,
    /// Keys are forgotten with their sagas, before their time.
    KeysPurgedYoung,
    /// A key is forgotten when it is old, while its finished saga is there.
    KeyBeforeItsSaga,
    /// A purge takes more than it may.
    PurgesWithoutLimit,
    /// A version may change its fingerprint.
    FingerprintMayChange,
    /// What a node has announced once it can run for ever.
    AnnouncementAdds,
    /// Announcing a version switches it on.
    AnnouncingSwitchesOn,
    /// Switching on does not wait for nodes that cannot run the version.
    SwitchedWithoutWaiting,
    /// A version is switched on while no node is live.
    SwitchedForNobody,
    /// A node that has withdrawn is waited for.
    WithdrawnNodesCount,
    /// Switching off waits for a live node.
    SwitchingOffWaits,
    /// Parked sagas are not counted as in flight.
    ParkedNotInFlight,
    /// A node that was not heard of for long holds up a switching.
    GoneNodesCount,
    /// An acknowledgement is written anew.
    JudgesAnew,
    /// What is taken back is not.
    TakesNothingBack,
    /// A finding is forgotten while it still counts.
    ForgetsJudgementsEarly,
    /// A claim takes what another node has.
    ClaimsWhatOthersHave,
    /// A lease does not end by time.
    LeaseNeverEnds,
    /// A renewal is answered and not made.
    RenewsNothing,
    /// What has ended is said to be renewed.
    EndedRenewed,
    /// A renewal does not look at the epoch.
    OldEpochRenewed,
    /// A process that was replaced is not told so.
    ReplacedUnnoticed,
    /// A process that was replaced claims for its successor.
    ReplacedClaims,
    /// Members are told without their addresses.
    AddressForgotten,
    /// A node that begins again waits for the end of its own leases.
    RestartWaits,
    /// A claim takes one shard at most.
    ClaimsOneAtATime,
    /// Giving back changes nothing.
    GivesNothingBack,
    /// Giving back does not look at the epoch.
    GivesBackByShard,
    /// Giving back draws a new epoch.
    GivingBackFences,
    /// Who leaves keeps everything.
    LeavingChangesNothing,
    /// A process that was replaced takes its successor along when it leaves.
    LeavesForTheLater,
    /// A restore is not remembered.
    RestoreForgotten,
    /// Recovery is answered for every shard.
    RecoversEveryShard,
}
