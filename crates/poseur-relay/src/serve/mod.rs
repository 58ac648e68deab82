//! All pipelines of a configuration, from their start over every change to their end.

mod prepare;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use poseur_setup::ready::Notice;
use poseur_setup::watch::Watch;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::prepare::{Identity, Prepared, prepare_all};
use crate::admin::Reception;
use crate::config::{self, Config};
use crate::net::listen::{Door, Stop, serve};
use crate::net::place::{Listener, Place};
use crate::net::tls;
use crate::pipeline::{Pipeline, Room};
use crate::source;
use crate::stage::Stage;
use crate::telemetry::Telemetry;

/// Files are looked at this often.
const LOOKS: Duration = Duration::from_secs(1);

/// Why nothing was started, or nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct StartError(pub Vec<String>);

/// Pipelines at work.
#[derive(Debug, Default)]
pub struct Relay {
    /// What it tells of itself.
    pub telemetry: Arc<Telemetry>,
    reception: Reception,
    running: BTreeMap<String, Running>,
    /// What accepts connections, of sources that are told to end, too. Whether all was well.
    tasks: JoinSet<bool>,
    /// What the pipelines were made of.
    watches: Vec<Watch>,
    /// The end of all that is still on its way.
    now: CancellationToken,
    /// The configuration's file.
    file: Option<File>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    watch: Watch,
}

/// A pipeline at work.
#[derive(Debug)]
struct Running {
    pipeline: Arc<Pipeline>,
    identity: Identity,
    /// Kept for who takes over; `None` for standard input.
    listener: Option<Listener>,
    tls: Option<tls::Acceptor>,
    stop: Stop,
}

/// What a pipeline would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// Where its records come from, and where they go.
    pub way: String,
    /// What there is to tell.
    pub notices: Vec<Notice>,
}

/// Makes everything ready but opens nothing.
///
/// # Errors
/// With everything that is wrong with the file, rules, exceptions, secrets and certificates.
pub fn check(path: &Path) -> Result<Vec<Checked>, StartError> {
    let config = read(path)?;
    let prepared = prepare_all(&config)?.into_iter();
    let checked = prepared.map(|prepared| {
        let config = &config.pipelines[&prepared.name];
        Checked {
            way: format!("{} → {}", config.source, config.sink),
            name: prepared.name,
            notices: prepared.notices,
        }
    });
    Ok(checked.collect())
}

impl Relay {
    /// Starts what a file says, and remembers it for [`Relay::keep_up`].
    ///
    /// # Errors
    /// With everything that is wrong with the file and with what it names.
    pub async fn open(path: &Path) -> Result<Relay, StartError> {
        // Before it is read: what is written meanwhile is seen at the next look.
        let watch = Watch::new(vec![path.to_owned()]);
        let path = path.to_owned();
        let mut relay = Relay::start(&read(&path)?).await?;
        relay.file = Some(File { path, watch });
        Ok(relay)
    }

    /// Starts all pipelines, or none of them.
    ///
    /// # Errors
    /// With everything that is wrong with rules, exceptions, secrets, certificates and addresses.
    pub async fn start(config: &Config) -> Result<Relay, StartError> {
        let mut relay = Relay::default();
        relay.change(config).await?;
        Ok(relay)
    }

    /// Where each pipeline listens, by name.
    pub fn places(&self) -> BTreeMap<&str, Place> {
        let running = self.running.iter();
        let places = running.map(|(name, running)| {
            let listener = running.listener.as_ref();
            let place = listener.and_then(Listener::place);
            let place = place.unwrap_or_else(|| running.identity.source.entrance().place);
            (name.as_str(), place)
        });
        places.collect()
    }

    /// Where an operator can look, if anywhere.
    pub fn admin(&self) -> Option<std::net::SocketAddr> {
        self.reception.address()
    }

    /// Connections that the limits of all sources allow at once.
    pub fn most_connections(&self) -> usize {
        let sources = self.running.values();
        let most = sources.map(|running| running.identity.source.entrance().limits.connections);
        most.fold(0, usize::saturating_add)
    }

    /// The pipelines, by name.
    pub fn pipelines(&self) -> impl Iterator<Item = &Arc<Pipeline>> {
        self.running.values().map(|running| &running.pipeline)
    }

    /// Becomes what a configuration says, or stays as it is. Rules, exceptions, secrets and certificates are read
    /// again. Connections stay open unless their own source is another now; then they end between two messages, and
    /// nobody who connects meanwhile is turned away.
    ///
    /// # Errors
    /// With everything that is wrong. Nothing has changed then.
    pub async fn change(&mut self, config: &Config) -> Result<(), StartError> {
        let copy = config.clone();
        // Files are read, and rules compiled, beside the threads that serve connections.
        let prepared = spawn_blocking(move || prepare_all(&copy)).await;
        let prepared = prepared.map_err(|error| StartError(vec![error.to_string()]))??;
        let mut wrong = Vec::new();
        let mut listeners = Vec::new();
        for one in &prepared {
            match self.listener(one).await {
                Ok(listener) => listeners.push(listener),
                Err(error) => {
                    let (name, place) = (&one.name, &one.entrance.place);
                    wrong.push(format!("{name}: cannot listen on {place}: {error}"));
                }
            }
        }
        let reception = self.reception.prepare(config.admin.as_ref()).await;
        let reception = reception.map_err(|error| wrong.push(format!("admin: {error}")));
        let (Ok(reception), true) = (reception, wrong.is_empty()) else {
            return Err(StartError(wrong));
        };
        // From here on nothing waits, and nothing fails.
        self.reception.change(reception, &self.telemetry);
        let mut before = std::mem::take(&mut self.running);
        self.watches.clear();
        for (mut one, listener) in prepared.into_iter().zip(listeners) {
            tell(&one.name, std::mem::take(&mut one.notices));
            self.watches.extend(one.watches.clone());
            match (before.remove(&one.name), listener) {
                (Some(running), None) => self.keep(running, one),
                (old, listener) => {
                    old.inspect(|old| old.stop.soon.cancel());
                    self.begin(one, listener.flatten());
                }
            }
        }
        self.telemetry
            .retain(|name| self.running.contains_key(name));
        for (name, old) in before {
            info!(
                pipeline = name,
                "is no longer in the configuration: it ends"
            );
            old.stop.soon.cancel();
        }
        Ok(())
    }

    /// What a pipeline is to listen with; `None` if it goes on as it is.
    async fn listener(&self, prepared: &Prepared) -> std::io::Result<Option<Option<Listener>>> {
        let place = &prepared.entrance.place;
        let same = self.running.get(&prepared.name).is_some_and(|running| {
            // Nobody can be asked to send standard input again.
            let is_stdin = *place == Place::Stdin && running.listener.is_none();
            running.identity == prepared.identity || is_stdin
        });
        if same {
            return Ok(None);
        }
        let holder = self
            .running
            .values()
            .find(|running| running.identity.source.entrance().place == *place);
        Ok(Some(match holder.map(|holder| &holder.listener) {
            Some(listener) => listener.as_ref().map(Listener::again).transpose()?,
            None => Listener::open(place).await?,
        }))
    }

    /// A pipeline whose source stays, and so do its connections.
    fn keep(&mut self, running: Running, prepared: Prepared) {
        let Prepared {
            name,
            matcher,
            options,
            log_matches,
            sink,
            out,
            tls,
            ..
        } = prepared;
        let meter = running.pipeline.stage.meter();
        meter.log_matches(log_matches);
        meter.set_sink(sink);
        running.pipeline.stage.replace(matcher, options);
        running.pipeline.redirect(out);
        if let (Some(running), Some(fresh)) = (&running.tls, &tls) {
            running.become_like(fresh);
        }
        self.running.insert(name, running);
    }

    fn begin(&mut self, prepared: Prepared, listener: Option<Listener>) {
        let Prepared {
            name,
            matcher,
            options,
            log_matches,
            sink,
            out,
            source,
            identity,
            entrance,
            tls,
            ..
        } = prepared;
        let place = listener.as_ref().and_then(Listener::place);
        let place = place.unwrap_or(entrance.place);
        let does = match source {
            source::Kind::Listens(_) => "listening",
            source::Kind::Fetches(_) => "fetching",
        };
        info!(pipeline = name, %place, "{does}");
        let meter = self.telemetry.meter(&name);
        meter.log_matches(log_matches);
        meter.set_listening(Some(place.to_string()));
        meter.set_sink(sink);
        let stage = Stage::on(meter, matcher, options);
        let pipeline = Pipeline::new(stage, Room::new(identity.room), out);
        let pipeline = Arc::new(pipeline);
        let stop = Stop {
            soon: CancellationToken::new(),
            now: self.now.clone(),
        };
        // Without a second one it works as well, and a change of its source means a moment without a listener.
        let kept = listener.as_ref().and_then(|listener| listener.again().ok());
        let (its, told) = (pipeline.clone(), stop.clone());
        match source {
            source::Kind::Fetches(source) => {
                self.tasks.spawn(async move { source.run(its, told).await });
            }
            source::Kind::Listens(source) => {
                let door = Door {
                    listener,
                    tls: tls.clone(),
                    limits: entrance.limits,
                };
                self.tasks.spawn(serve(door, source, its, told));
            }
        }
        let running = Running {
            pipeline,
            identity,
            listener: kept,
            tls,
            stop,
        };
        self.running.insert(name, running);
    }

    /// Reads the configuration again whenever it is asked to, and whenever a file has changed that it is made of. What
    /// is wrong leaves everything as it is. Returns when all sources have ended by themselves, as standard input does;
    /// whether all was well with them.
    pub async fn keep_up(&mut self, asked: &mut mpsc::Receiver<()>) -> bool {
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut well = true;
        loop {
            let changed = tokio::select! {
                Some(()) = asked.recv() => true,
                _ = looks.tick() => self.has_changed().await,
                Some(ended) = self.tasks.join_next() => {
                    well &= ended.unwrap_or(false);
                    if self.tasks.is_empty() {
                        return well;
                    }
                    false
                }
            };
            if changed {
                self.read_again().await;
            }
        }
    }

    /// Whether a file has changed that all this is made of.
    async fn has_changed(&mut self) -> bool {
        let mut watches = std::mem::take(&mut self.watches);
        let mut file = self.file.take();
        // File systems may be slow.
        let look = spawn_blocking(move || {
            let mut changed = file.as_mut().is_some_and(|file| file.watch.has_changed());
            // All of them: each remembers what it has seen.
            for watch in &mut watches {
                changed |= watch.has_changed();
            }
            (watches, file, changed)
        });
        let Ok((watches, file, changed)) = look.await else {
            return false;
        };
        (self.watches, self.file) = (watches, file);
        changed
    }

    async fn read_again(&mut self) {
        let Some(file) = &self.file else { return };
        let config = read(&file.path);
        let outcome = match &config {
            Ok(config) => self.change(config).await,
            Err(errors) => Err(errors.clone()),
        };
        match &outcome {
            Ok(()) => info!("configuration, rules, exceptions and certificates were read again"),
            Err(errors) => {
                for error in &errors.0 {
                    error!("{error}");
                }
                error!(
                    "nothing was changed: the old configuration, rules and certificates stay in force"
                );
                // Whoever mends a file that only the new configuration names should not have to say so.
                let named = config.iter().flat_map(|config| config.pipelines.values());
                let named = named.flat_map(named_files).collect();
                self.watches.push(Watch::new(named));
            }
        }
        let outcome = outcome.map_err(|errors| errors.to_string());
        self.telemetry.reloaded("configuration", outcome);
    }

    /// Takes nothing new, and waits so long for what is on its way. Returns whether all of it was delivered; what was
    /// not has no acknowledgement, and is still with its sender.
    pub async fn stop(mut self, limit: Duration) -> bool {
        let places: Vec<Place> = self.places().into_values().collect();
        for running in self.running.values_mut() {
            running.stop.soon.cancel();
            running.pipeline.stage.meter().set_listening(None);
            // Who comes now is to be refused, and not to wait.
            running.listener = None;
        }
        let drained = timeout(limit, async {
            while self.tasks.join_next().await.is_some() {}
        });
        let drained = drained.await.is_ok();
        self.now.cancel();
        while self.tasks.join_next().await.is_some() {}
        for place in places {
            if let Place::Unix(path) = place {
                let _ = std::fs::remove_file(path);
            }
        }
        drained
    }
}

fn read(path: &Path) -> Result<Config, StartError> {
    Config::read(path)
        .map_err(|errors| StartError(errors.iter().map(ToString::to_string).collect()))
}

fn named_files(pipeline: &config::Pipeline) -> Vec<PathBuf> {
    let rules = pipeline.rules.iter().chain(&pipeline.exceptions);
    rules.cloned().chain(pipeline.files()).collect()
}

fn tell(pipeline: &str, notices: Vec<Notice>) {
    for notice in notices {
        match notice {
            Notice::Info(text) => info!(pipeline, "{text}"),
            Notice::Warning(text) => warn!(pipeline, "{text}"),
            Notice::Error(text) => error!(pipeline, "{text}"),
        }
    }
}
