//! The seal over made-up worlds: servers that are cut back, replaced and wiped, and processes that come and go.

use super::*;

/// A store: what it holds of each epoch is known by the place where it was written.
#[derive(Clone, Debug)]
struct Store {
    found: Found,
    /// What is there: the epoch and the number of each commit, oldest first.
    log: Vec<(String, u64)>,
}

/// A process with what it knows, and all that it was told is safe.
#[derive(Clone, Debug, Default)]
struct Process {
    witness: Witness,
    acknowledged: Vec<(String, u64)>,
    /// The history under which it last showed something, and the last commit that it showed.
    showed: Option<(Option<String>, (String, u64))>,
    /// The last call of the roll that it made.
    call: String,
}

/// Numbers without end from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end as u64)).expect("below its end")
    }
}

struct World {
    dice: Dice,
    named: u32,
    store: Store,
    /// Earlier states of the store, to which a cut or a stale replica can go back.
    past: Vec<Store>,
    processes: Vec<Process>,
    history: Vec<String>,
}

impl World {
    fn new(seed: u64) -> World {
        let store = Store { found: Found { replid: "r0".into(), ..Found::default() }, log: Vec::new() };
        World {
            dice: Dice(seed),
            named: 0,
            store,
            past: Vec::new(),
            processes: Vec::new(),
            history: Vec::new(),
        }
    }

    fn fresh(&mut self) -> String {
        self.named += 1;
        format!("n{}", self.named)
    }

    fn note(&mut self, what: String) {
        self.history.push(what);
    }

    fn arrive(&mut self) {
        let id = self.fresh();
        self.note(format!("{id} comes"));
        self.processes.push(Process {
            witness: Witness { id, writes: true, ..Witness::default() },
            ..Process::default()
        });
    }

    /// The server restarts or is replaced, perhaps by one that has less.
    fn change(&mut self, keeps_all: bool) {
        if !keeps_all && !self.past.is_empty() {
            let back = self.dice.below(self.past.len());
            self.store = self.past[back].clone();
        }
        self.store.found.replid = self.fresh();
        self.note(format!("server {} with {} commits", self.store.found.replid, self.store.log.len()));
    }

    /// Someone speaks. Returns how the ledger stands for them.
    fn speak(&mut self, n: usize, waited: bool, leaves: bool) -> Standing {
        let fresh = self.fresh();
        let process = &mut self.processes[n];
        let mut witness = Witness { waited, ..process.witness.clone() };
        if leaves {
            witness.writes = false;
        }
        let found = &mut self.store.found;
        let is_wiped = found.history.is_none() && found.seal.epoch.is_empty() && witness.seen.is_some();
        let rule = if leaves { leave } else { attest };
        let ruling = rule(found, &witness, &fresh);
        if let Some(seal) = ruling.seal {
            found.seal = seal;
        }
        if ruling.renews_history {
            found.history = Some(format!("h{fresh}"));
        }
        let is_open_though_wiped = is_wiped && ruling.standing == Standing::Open;
        if let Some(history) = found.history.as_ref().filter(|_| found.head > 0) {
            process.witness.seen = Some(Known { line: history.clone(), revision: found.head });
        }
        let mut is_beyond = false;
        if ruling.standing == Standing::Open {
            if let Some((history, last)) = &process.showed {
                is_beyond = *history == found.history && !self.store.log.contains(last);
            }
            if process.witness.knows.as_ref().is_some_and(|known| found.seal.given_up.contains(&known.line)) {
                process.acknowledged.clear();
            }
            process.witness.knows = Some(Known { line: found.seal.epoch.clone(), revision: found.head });
            process.witness.shown = found.head;
            process.showed = self.store.log.last().map(|last| (found.history.clone(), last.clone()));
        }
        let said = format!(
            "{} speaks (waited {waited}, leaves {leaves}): {:?}",
            process.witness.id, ruling.standing
        );
        self.note(said);
        if is_open_though_wiped {
            fail(self, "it opened an empty store in which it had read something");
        }
        if is_beyond {
            fail(self, "it showed what was lost, and whoever followed it goes on as if nothing were missing");
        }
        ruling.standing
    }

    /// Someone commits as the function does: only in the epoch that they saw open, and only while it is of this server.
    fn commit(&mut self, n: usize) -> bool {
        let found = &self.store.found;
        let knows = self.processes[n].witness.knows.clone();
        let takes = knows.as_ref().is_some_and(|known| {
            found.seal.lost.is_none() && known.line == found.seal.epoch && found.seal.is_of(&found.replid)
        });
        if takes {
            if !found.seal.writers.contains(&self.processes[n].witness.id) {
                fail(self, "one who is not on record as a writer wrote, and nobody would wait for it");
            }
            self.past.push(self.store.clone());
            let head = self.store.found.head + 1;
            self.store.found.head = head;
            let place = (self.store.found.seal.epoch.clone(), head);
            self.store.log.push(place.clone());
            // What the replicas do not hold yet is shown, and not acknowledged.
            let is_kept = self.dice.below(3) > 0;
            let process = &mut self.processes[n];
            process.witness.shown = head;
            process.showed = Some((self.store.found.history.clone(), place.clone()));
            if is_kept {
                process.witness.knows = Some(Known { line: place.0.clone(), revision: head });
                process.acknowledged.push(place);
            }
            self.note(format!("{} commits {head}", self.processes[n].witness.id));
        }
        takes
    }

    fn call(&mut self, n: usize) {
        let call = self.fresh();
        let id = self.processes[n].witness.id.clone();
        if let Some(seal) = call_roll(&self.store.found, &id, &call) {
            self.note(format!("{id} calls {:?}", seal.writers));
            self.store.found.seal = seal;
            self.processes[n].call = call;
        }
    }

    /// Someone's patience with those who have not answered its call is over.
    fn strike(&mut self, n: usize) {
        let fresh = self.fresh();
        let found = &mut self.store.found;
        if let Some((seal, struck)) = strike_off(found, &self.processes[n].call, &fresh) {
            found.seal = seal;
            self.note(format!("{} strikes off {struck:?}", self.processes[n].witness.id));
        }
    }

    /// Whether someone alive was told of something that is gone, so that the ledger must not be open once they spoke.
    fn lacks(&self, process: &Process) -> bool {
        let given_up = &self.store.found.seal.given_up;
        if process.witness.knows.as_ref().is_some_and(|known| given_up.contains(&known.line)) {
            return false;
        }
        process.acknowledged.iter().any(|place| !self.store.log.contains(place))
    }
}

impl World {
    /// An opening is by the word of all who could have written, or of one who was there after a wait.
    fn check_opening(&self, was: &Seal, replid: &str, speaker: &Witness, waited: bool) {
        let asking = was.asking.as_ref().filter(|asking| asking.replid == replid);
        let mut spoke: Vec<(&str, &Known)> =
            asking.iter().flat_map(|asking| &asking.answers).map(|(id, known)| (&**id, known)).collect();
        spoke.extend(speaker.knows.as_ref().map(|known| (&*speaker.id, known)));
        let silent = was.writers.iter().any(|writer| !spoke.iter().any(|(id, _)| id == writer));
        let was_there = spoke.iter().any(|(_, known)| known.line == was.epoch);
        if silent && !waited {
            fail(self, "it opened at once though a writer was silent");
        }
        if silent && !was_there {
            fail(self, "it opened though nobody who was there has spoken");
        }
    }

    /// A person accepts what is lost.
    fn accept(&mut self) {
        let word =
            Acceptance { by: "A. Person".into(), reason: "drill".into(), at: String::new(), lost: None };
        let fresh = self.fresh();
        let found = &mut self.store.found;
        found.seal = accepting(found, word, &fresh);
        found.history = Some(format!("h{fresh}"));
        if found.seal.standing(&found.replid) == Standing::Open {
            fail(self, "it is open to all while a loss is being accepted");
        }
        let found = &mut self.store.found;
        found.seal = accepted(&found.seal);
        self.note("a loss is accepted".into());
    }
}

fn fail(world: &World, why: &str) -> ! {
    panic!("{why}\n{}", world.history.join("\n"));
}

/// One walk. Whoever knows of something lost closes the ledger by speaking, and nothing but a person opens it again; what
/// has lost nothing opens as soon as all have spoken.
fn walk(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..3 {
        world.arrive();
    }
    for _ in 0..60 {
        let n = world.dice.below(world.processes.len());
        match world.dice.below(23) {
            0..=8 => {
                let lacked = world.lacks(&world.processes[n]);
                if world.commit(n) && lacked {
                    fail(&world, "a process that knows of a loss wrote on");
                }
            }
            9..=12 => {
                let waited = world.dice.below(3) == 0;
                let lacked = world.lacks(&world.processes[n]);
                let was = world.store.found.seal.clone();
                let before = world.processes[n].witness.clone();
                let replid = world.store.found.replid.clone();
                let was_open = was.standing(&replid) == Standing::Open;
                let standing = world.speak(n, waited, false);
                if lacked && !matches!(standing, Standing::Closed(_)) {
                    fail(&world, "a loss that a witness knows of did not close the ledger");
                }
                let is_new =
                    standing == Standing::Open && !was_open && was.epoch != world.store.found.seal.epoch;
                if is_new {
                    world.check_opening(&was, &replid, &before, waited);
                }
            }
            13..=14 => world.change(true),
            15 => world.change(false),
            16 => {
                // Someone dies, and another comes.
                if world.processes.len() > 1 {
                    let gone = world.processes.swap_remove(n);
                    world.note(format!("{} dies", gone.witness.id));
                }
                world.arrive();
            }
            17 => {
                let lacked = world.lacks(&world.processes[n]);
                world.speak(n, false, true);
                if lacked && world.store.found.seal.lost.is_none() {
                    fail(&world, "a process took what it knew of a loss with it");
                }
                world.processes.remove(n);
                world.arrive();
            }
            18 => {
                // Wiped, on the same server.
                let replid = world.store.found.replid.clone();
                world.store = Store { found: Found { replid, ..Found::default() }, log: Vec::new() };
                world.past.clear();
                world.note("wiped".into());
            }
            19 => {
                if world.store.found.seal.lost.is_some() {
                    world.accept();
                }
            }
            20 => world.call(n),
            _ => world.strike(n),
        }
    }
    // In the end all speak: what someone knows to be lost is closed, and what nobody misses is open.
    for _ in 0..2 {
        for n in 0..world.processes.len() {
            world.speak(n, true, false);
        }
    }
    let lacks = world.processes.iter().any(|process| world.lacks(process));
    match world.store.found.seal.standing(&world.store.found.replid) {
        Standing::Open if lacks => fail(&world, "open, though one who spoke knows of a loss"),
        Standing::Waiting(_) if world.has_witness_alive() => fail(&world, "all have spoken, and it waits"),
        Standing::Open | Standing::Waiting(_) | Standing::Closed(_) => {}
    }
}

impl World {
    fn has_witness_alive(&self) -> bool {
        let epoch = &self.store.found.seal.epoch;
        self.processes.iter().any(|process| process.witness.knows.as_ref().is_some_and(|k| k.line == *epoch))
    }
}

#[test]
fn a_ledger_opens_only_by_those_who_were_there_and_closes_on_whoever_misses_something() {
    for seed in 0..20_000 {
        walk(seed);
    }
}

#[test]
fn who_opens_a_ledger_and_has_shown_more_than_it_has_gives_it_another_history() {
    let seal = Seal { epoch: "r0-n1".into(), writers: vec!["one".into()], ..Seal::default() };
    let found = Found { replid: "r1".into(), history: Some("h".into()), head: 7, seal };
    let knows = Some(Known { line: "r0-n1".into(), revision: 7 });
    for (shown, renews) in [(7, false), (9, true)] {
        let witness =
            Witness { id: "one".into(), knows: knows.clone(), shown, writes: true, ..Witness::default() };
        let ruling = attest(&found, &witness, "n2");
        assert_eq!((ruling.standing, ruling.renews_history), (Standing::Open, renews), "shown {shown}");
    }
}

#[test]
fn those_who_showed_more_than_was_kept_have_the_history_renewed_once() {
    let found = |head: u64, seal: Seal, history: &str| Found {
        replid: "r1".into(),
        history: Some(history.into()),
        head,
        seal,
    };
    let seal = Seal { epoch: "r0-n1".into(), writers: vec!["one".into(), "two".into()], ..Seal::default() };
    let witness = |id: &str, shown| Witness {
        id: id.into(),
        knows: Some(Known { line: "r0-n1".into(), revision: 7 }),
        shown,
        writes: true,
        waited: true,
        ..Witness::default()
    };
    for (first, renews) in [(7, [false, true, false]), (9, [true, false, false])] {
        let mut now = found(7, seal.clone(), "h");
        for (n, (id, shown)) in [("one", first), ("two", 9), ("three", 8)].into_iter().enumerate() {
            let ruling = attest(&now, &witness(id, shown), "n2");
            assert_eq!((&ruling.standing, ruling.renews_history), (&Standing::Open, renews[n]), "{id}");
            let history = if ruling.renews_history { format!("h{n}") } else { now.history.unwrap() };
            now = found(now.head + 1, ruling.seal.unwrap_or(now.seal), &history);
        }
    }
}

#[test]
fn the_archive_opens_only_what_it_saw_and_what_ends_where_it_does() {
    let ended = vec![Ended { line: "r-old".into(), end: 3 }];
    let seal =
        Seal { epoch: "r0-a".into(), began: 3, ended, writers: vec!["silent".into()], ..Seal::default() };
    let found = Found { replid: "r1".into(), history: Some("h".into()), head: 7, seal };
    let says = |line: &str, revision: u64, is_behind: bool, waited: bool| {
        let knows = Some(Known { line: line.into(), revision });
        let archive = Witness { id: "the archive".into(), knows, waited, is_behind, ..Witness::default() };
        match attest(&found, &archive, "b").standing {
            Standing::Open => "open",
            Standing::Waiting(_) => "waiting",
            Standing::Closed(_) => "closed",
        }
    };
    assert_eq!(says("r0-a", 7, true, true), "open");
    assert_eq!(says("r0-a", 7, true, false), "waiting", "the silent may know of more");
    assert_eq!(says("r0-a", 6, true, true), "waiting", "the store shows that it was behind");
    assert_eq!(says("r0-a", 6, false, true), "open", "it is never behind what was acknowledged");
    assert_eq!(says("r0-a", 8, true, true), "closed");
    for is_behind in [true, false] {
        assert_eq!(says("r-old", 3, is_behind, true), "waiting", "an epoch before the last");
        assert_eq!(says("h", 7, is_behind, true), "waiting", "a history says nothing of its last epoch");
        assert_eq!(says("h", 8, is_behind, true), "closed");
        assert_eq!(says("another", 7, is_behind, true), "closed");
    }
}

/// What becomes of a writer that died is known to those who are left: a restart of everything waits for nobody.
#[test]
fn a_writer_that_died_is_struck_off_and_one_that_slept_comes_back_before_it_writes() {
    let mut world = World::new(1);
    for _ in 0..3 {
        world.arrive();
    }
    for n in 0..3 {
        assert_eq!(world.speak(n, false, false), Standing::Open);
        assert!(world.commit(n));
    }
    // The first calls, the second answers, the third sleeps.
    world.call(0);
    world.speak(1, false, false);
    let roll = world.store.found.seal.roll.clone().expect("a roll");
    assert_eq!(roll.silent, [world.processes[2].witness.id.clone()]);
    world.strike(1);
    assert_eq!(world.store.found.seal.roll, Some(roll), "only who has called and waited strikes off");
    world.strike(0);
    assert_eq!(world.store.found.seal.writers.len(), 2);
    assert!(!world.commit(2), "its epoch is over");
    assert_eq!(world.speak(2, false, false), Standing::Open);
    assert!(world.commit(2));
    // It dies, is struck off, and all others leave: the next who comes opens the restarted server.
    world.call(0);
    for n in [0, 1] {
        world.speak(n, false, false);
    }
    world.strike(0);
    for n in [0, 1] {
        world.speak(n, false, true);
    }
    assert_eq!(world.store.found.seal.writers, Vec::<String>::new());
    world.change(true);
    world.arrive();
    assert_eq!(world.speak(3, false, false), Standing::Open);
}

#[test]
fn the_first_opening_of_a_restored_store_begins_another_history() {
    let restored = Found { replid: "r9".into(), history: Some("h".into()), head: 40, ..Found::default() };
    assert!(
        matches!(restored.seal.standing("r9"), Standing::Waiting(why) if why.contains("no process has opened it"))
    );
    let fresh = Witness { id: "one".into(), writes: true, ..Witness::default() };
    let ruling = attest(&restored, &fresh, "n1");
    assert_eq!((&ruling.standing, ruling.renews_history), (&Standing::Open, true));
    let opened = Found { history: Some("i".into()), seal: ruling.seal.unwrap(), ..restored.clone() };
    assert!(!attest(&opened, &fresh, "n2").renews_history, "once");
    // The archive's word: it holds what was restored, or more than that.
    for (revision, closes) in [(40, false), (41, true)] {
        let knows = Some(Known { line: "h".into(), revision });
        let archive = Witness { id: "archive".into(), knows, ..Witness::default() };
        for found in [&restored, &opened] {
            let standing = attest(found, &archive, "n3").standing;
            assert_eq!(matches!(standing, Standing::Closed(_)), closes, "{revision}: {standing:?}");
        }
    }
    // Who looked at the store while it was empty has nothing to miss; who had more before, has.
    for (revision, closes) in [(0, false), (1, true)] {
        let knows = Some(Known { line: "r9-n0".into(), revision });
        let looked = Witness { id: "two".into(), knows, ..Witness::default() };
        let standing = attest(&restored, &looked, "n4").standing;
        assert_eq!(matches!(standing, Standing::Closed(_)), closes, "{revision}: {standing:?}");
    }
}
