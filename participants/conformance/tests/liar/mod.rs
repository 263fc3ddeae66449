//! A tiny participant, written without the kit, that keeps the contract except where it is told not to.

mod host;
mod rows;
mod service;

pub(crate) use host::Host;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// An undo of what was never done leaves nothing behind.
    NoTombstoneOfUndo,
    /// A close of what was never done leaves nothing behind.
    NoTombstoneOfClose,
    /// A refusal is not stored.
    ForgetsRefusals,
    /// What a refused do took stays taken.
    KeepsHalfOfRefused,
    /// Requests under one key are not compared.
    IgnoresBody,
    /// A refusal is a bare status.
    BareRefusals,
    /// Verdicts carry another service's domain.
    DomainOfAnother,
    /// Verdicts echo a key that is not the call's.
    KeyOfAnother,
    /// Verdicts come under other codes.
    OtherCodes,
    /// The barrier is looked at first and written later.
    ChecksThenActs,
    /// Nothing is remembered of a do.
    RunsEveryTime,
    /// The answer is made anew each time.
    FreshAnswers,
    /// An undo of a refused step is turned away.
    RefusesUndo,
    /// A do after its undo gets the stored answer.
    ReplaysAfterUndo,
    /// Each undo takes back.
    UndoesTwice,
    /// A close of what was never done is answered Done.
    PretendsAtClose,
    /// A close of what is done is Refused.
    DeniesAtClose,
    /// A saga has one row for all its steps.
    OneRowPerSaga,
    /// All sagas have one row for each step.
    OneRowPerStep,
    /// Each attempt has its own row.
    OneRowPerAttempt,
    /// Rows are lost with the process.
    ForgetsOnRestart,
    /// A do is over when its caller is gone.
    DiesWithCaller,
    /// An undo of a do under way succeeds at once, and the do goes on.
    UndoesTooEarly,
    /// The key is not compared with saga, step and op.
    BelievesAnyKey,
    /// A call without an attempt is taken as the first.
    ForgivesMissing,
    /// An undo at the method of the do is taken as a do.
    ConfusesOps,
    /// Old sagas are served like any other.
    NeverExpires,
    /// Health says that it does not serve.
    FeelsSick,
    /// Reflection lists another service.
    ListsAnother,
    /// A do is answered Done and nothing happens.
    DoesNothing,
    /// An undo succeeds and takes nothing back.
    UndoesNothing,
    /// An undo of what was never done, or is over, is Broken.
    BreaksAtEarlyUndo,
    /// The refusal is made anew each time.
    FreshRefusals,
    /// The reason of a refusal is a word that no program can compare.
    MumblesReasons,
    /// Each trace has its own row.
    OneRowPerTrace,
    /// Each value of a stranger's metadata has its own row.
    OneRowPerRequestId,
    /// A close of what is done lets nobody undo it any more.
    SealsAtClose,
    /// A close of a do under way is Refused at once, and the do goes on.
    ClosesTooEarly,
    /// A duplicate of a do under way is promised to have had no effect.
    PromisesDuringDo,
    /// A do while its step is being closed is answered vaguely.
    VagueAtClosing,
    /// The effect is committed first and its row later.
    ActsBeforeItWrites,
    /// The effect is taken back first and its row written later.
    UndoesBeforeItWrites,
}
