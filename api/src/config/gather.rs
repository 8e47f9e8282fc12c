//! Collects the values of the settings: from the settings file, from the environment, and from files that hold secrets.
//! Refuses names that no setting has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::parse::Values;
use super::{ConfigError, Setting, settings, variable};

/// The beginning of the names of all our variables.
const PREFIX: &str = "BACKSCROLL_";
/// The end of the name of a variable, or of a key of the settings file, that names a file with a secret.
const FILE: &str = "_file";
/// Variables that other parts of this project read: the command line, and `scripts/`.
const OF_OTHERS: [&str; 5] =
    ["BACKSCROLL_CONFIG", "BACKSCROLL_RUN", "BACKSCROLL_DATA_IN_MEMORY", "BACKSCROLL_POSTGRES_ADMIN_URL", "BACKSCROLL_COMMIT"];

/// The environment of this process, and the path and the text of the settings file.
pub(super) struct Sources {
    pub(super) environment: BTreeMap<String, String>,
    pub(super) file: Option<(PathBuf, String)>,
}

impl Sources {
    /// Reads the environment, and the settings file: `file`, or the one that `BACKSCROLL_CONFIG` names.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        let environment = environment()?;
        let named = environment.get("BACKSCROLL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let file = file.map(Path::to_owned).or(named).as_deref().map(read_file).transpose()?;
        Ok(Self { environment, file })
    }

    pub(super) fn file(&self) -> Option<(&Path, &str)> {
        self.file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()))
    }
}

/// Our variables of this process.
fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    let (mut environment, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)).map(str::to_owned) else { continue };
        match value.into_string() {
            Ok(value) => drop(environment.insert(name, value)),
            Err(_) => mistakes.push(format!("{name} is not UTF-8: write it anew")),
        }
    }
    if mistakes.is_empty() { Ok(environment) } else { Err(ConfigError::Wrong(mistakes)) }
}

fn read_file(path: &Path) -> Result<(PathBuf, String), ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((path.to_owned(), text)),
        Err(source) => Err(ConfigError::File { path: path.to_owned(), source }),
    }
}

/// Collects all values. The environment overrides the file.
pub(super) fn gather(environment: &BTreeMap<String, String>, file: Option<(&Path, &str)>) -> Result<Values, ConfigError> {
    let mut values = Values::default();
    if let Some((path, text)) = file {
        let mut given = Given::default();
        for (key, value) in parse_toml(path, text)? {
            given.take_key(&key, value, path, &mut values.mistakes);
        }
        given.resolve(str::to_owned, &mut values);
    }
    let mut given = Given::default();
    // An empty variable counts as unset: compose files and scripts set variables so.
    for (name, value) in environment.iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()) {
        given.take_variable(name, value, &mut values.mistakes);
    }
    given.resolve(variable, &mut values);
    Ok(values)
}

fn parse_toml(path: &Path, text: &str) -> Result<toml::Table, ConfigError> {
    text.parse::<toml::Table>().map_err(|error| ConfigError::Toml {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1),
        reason: error.message().to_owned(),
    })
}

/// What one source gives for the settings: values, and files with values.
#[derive(Default)]
struct Given {
    values: BTreeMap<&'static str, String>,
    files: BTreeMap<&'static str, PathBuf>,
}

impl Given {
    fn take_key(&mut self, key: &str, value: toml::Value, path: &Path, mistakes: &mut Vec<String>) {
        let Some(named) = Named::by(key) else {
            let nearest = nearest(key);
            mistakes
                .push(format!("{key} in {} is not a setting; the nearest is {nearest}: `backscroll settings` lists them", path.display()));
            return;
        };
        match value {
            toml::Value::String(text) => self.put(named, text),
            toml::Value::Integer(number) => self.put(named, number.to_string()),
            toml::Value::Boolean(flag) => self.put(named, flag.to_string()),
            _ => mistakes.push(format!("{key} must be a text, a whole number, or true or false: {}", named.setting.what)),
        }
    }

    fn take_variable(&mut self, name: &str, value: &str, mistakes: &mut Vec<String>) {
        let rest = name.strip_prefix(PREFIX).unwrap_or_default();
        let is_upper = !rest.contains(|c: char| c.is_ascii_lowercase());
        match Named::by(&rest.to_lowercase()).filter(|_| is_upper) {
            Some(named) => self.put(named, value.to_owned()),
            None if OF_OTHERS.contains(&name) || is_of_kubernetes(rest, value) => {}
            None => {
                let nearest = variable(nearest(&rest.to_lowercase()).as_str());
                mistakes.push(format!("{name} is not a setting; the nearest is {nearest}: `backscroll settings` lists them"));
            }
        }
    }

    fn put(&mut self, Named { setting, is_file }: Named, value: String) {
        if is_file {
            self.files.insert(setting.name, value.into());
        } else {
            self.values.insert(setting.name, value);
        }
    }

    /// Reads the files, and hands over all values. `written` is how this source writes the name of a setting.
    fn resolve(self, written: fn(&str) -> String, values: &mut Values) {
        let Self { values: given, files } = self;
        for (name, path) in files {
            let (plain, file) = (written(name), written(&format!("{name}{FILE}")));
            if given.contains_key(name) {
                values.mistakes.push(format!("{plain} and {file} are both set: remove one of them"));
                values.failed.insert(name);
                continue;
            }
            match read_secret(&path) {
                Ok(secret) => drop(values.set.insert(name, secret)),
                Err(reason) => {
                    let path = path.display();
                    values.mistakes.push(format!("{name}: the file {path} of {file} cannot be used: {reason}"));
                    values.failed.insert(name);
                }
            }
        }
        values.set.extend(given);
    }
}

/// A setting by its name, or by the name of the file with its value.
struct Named {
    setting: &'static Setting,
    is_file: bool,
}

impl Named {
    fn by(key: &str) -> Option<Self> {
        let setting = |name: &str| settings().find(|setting| setting.name == name);
        match setting(key) {
            Some(setting) => Some(Self { setting, is_file: false }),
            None => setting(key.strip_suffix(FILE)?).filter(|setting| setting.is_secret).map(|setting| Self { setting, is_file: true }),
        }
    }
}

/// The text of a file with a secret, without the newline at its end.
fn read_secret(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{error}: correct the path, and let this user read it"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() { Err("it is empty".to_owned()) } else { Ok(secret.to_owned()) }
}

/// Kubernetes gives each container the addresses of the services beside it. For a service `backscroll`, they begin like
/// our variables: `BACKSCROLL_SERVICE_HOST`, `BACKSCROLL_PORT_8080_TCP_ADDR`, and `BACKSCROLL_PORT` with `tcp://…`.
fn is_of_kubernetes(rest: &str, value: &str) -> bool {
    let is_service = ["SERVICE_HOST", "SERVICE_PORT"].iter().any(|part| rest.split_once(part).is_some());
    let is_port = rest.split_once("PORT_").is_some_and(|(_, port)| port.starts_with(|c: char| c.is_ascii_digit()));
    is_service || is_port || (rest.ends_with("PORT") && value.contains("://"))
}

/// The name that is most like `key`, among the names of settings and of files with secrets.
fn nearest(key: &str) -> String {
    let files = settings().filter(|setting| setting.is_secret).map(|setting| format!("{}{FILE}", setting.name));
    let names = settings().map(|setting| setting.name.to_owned()).chain(files);
    names.min_by_key(|name| strsim::damerau_levenshtein(key, name)).unwrap_or_default()
}
