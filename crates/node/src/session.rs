//! What a client asks, and what it is answered.

use std::time::Duration;

use atomik_core::Algebra;
use atomik_net::{Node, NodeError};
use subtle::ConstantTimeEq;

use crate::number::{format_word, is_signed, parse_key, parse_word};
use crate::resp::Replies;

/// What all clients of a node share.
pub(crate) struct Cache<A: Algebra> {
    pub(crate) node: Node<A>,
    pub(crate) len: usize,
    pub(crate) password: Option<Vec<u8>>,
    /// What INFO says of the settings.
    pub(crate) description: String,
}

/// A client.
pub(crate) struct Session<'a, A: Algebra> {
    cache: &'a Cache<A>,
    is_authenticated: bool,
    /// The LOADs of a pipeline that come one after the other, to be done together; and how many replies they get.
    loads: Vec<(usize, u64)>,
    owed: usize,
}

/// Whether a client goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    Close,
}

/// What a command that only looks or adds does at once.
type Done = Result<(), String>;

impl<'a, A: Algebra> Session<'a, A> {
    pub(crate) fn new(cache: &'a Cache<A>) -> Self {
        let is_authenticated = cache.password.is_none();
        Self { cache, is_authenticated, loads: Vec::new(), owed: 0 }
    }

    /// Does what a request asks.
    pub(crate) async fn request<'w>(
        &mut self,
        mut words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
        replies: &mut Replies,
    ) -> Next {
        let all = words.clone();
        let Some(name) = words.next() else { return Next::GoOn };
        let command = name.to_ascii_uppercase();
        if !self.is_authenticated && !matches!(&*command, b"AUTH" | b"HELLO" | b"QUIT") {
            self.flush(replies).await;
            replies.error("NOAUTH Authentication required.");
            return Next::GoOn;
        }
        if matches!(&*command, b"SET" | b"MSET") {
            if let Err(error) = self.set(&command, words) {
                self.flush(replies).await;
                replies.error(&error);
            }
            return Next::GoOn;
        }
        self.flush(replies).await;
        let done = match &*command {
            b"GET" => self.get(words, replies),
            b"MGET" => self.mget(words, replies),
            b"INCR" => self.add(&command, words, Some(1), false, replies),
            b"DECR" => self.add(&command, words, Some(1), true, replies),
            b"INCRBY" => self.add(&command, words, None, false, replies),
            b"DECRBY" => self.add(&command, words, None, true, replies),
            b"ATOMIK.ACCUM" => self.accum(words, replies),
            b"ATOMIK.PUT" => self.put(words, replies).await,
            b"ATOMIK.DIGEST" => self.digest(words, replies).await,
            b"ATOMIK.WAIT" => self.wait(words, replies).await,
            b"PING" => ping(words, replies),
            b"ECHO" => exactly("echo", words).map(|[text]| replies.bulk(text)),
            b"SELECT" => match exactly("select", words) {
                Ok([b"0"]) => {
                    replies.simple("OK");
                    Ok(())
                }
                Ok(_) => Err("ERR DB index is out of range: there is only database 0".to_owned()),
                Err(error) => Err(error),
            },
            b"DBSIZE" => {
                replies.integer(self.cache.len as i64);
                Ok(())
            }
            b"INFO" => {
                replies.bulk(self.info().as_bytes());
                Ok(())
            }
            b"CLIENT" => client(words, replies),
            b"COMMAND" => {
                replies.array(0);
                Ok(())
            }
            b"HELLO" => self.hello(words, replies),
            b"AUTH" => self.auth(words).map(|()| replies.simple("OK")),
            b"QUIT" => {
                replies.simple("OK");
                return Next::Close;
            }
            _ => Err(unknown(name, all)),
        };
        if let Err(error) = done {
            replies.error(&error);
        }
        Next::GoOn
    }

    /// Does the LOADs that wait. To be called at the end of a pipeline.
    pub(crate) async fn flush(&mut self, replies: &mut Replies) {
        if self.owed == 0 {
            return;
        }
        let loads = std::mem::take(&mut self.loads);
        let done = self.cache.node.load_many(loads).await;
        for _ in 0..std::mem::take(&mut self.owed) {
            match &done {
                Ok(()) => replies.simple("OK"),
                Err(error) => replies.error(&refused(error)),
            }
        }
    }

    /// Notes a LOAD, or several that are one command.
    fn set<'w>(&mut self, command: &[u8], words: impl ExactSizeIterator<Item = &'w [u8]>) -> Done {
        let count = words.len();
        if command == b"SET" && count > 2 {
            return Err("ERR syntax error: SET has no options here".to_owned());
        }
        if count == 0 || !count.is_multiple_of(2) {
            return Err(wrong_number(command));
        }
        let first = self.loads.len();
        let mut words = words;
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            let parsed = parse_key(key, self.cache.len).and_then(|addr| Ok((addr, value_of(value)?)));
            match parsed {
                Ok(load) => self.loads.push(load),
                Err(error) => {
                    self.loads.truncate(first);
                    return Err(error);
                }
            }
        }
        self.owed += 1;
        Ok(())
    }

    fn get<'w>(&self, words: impl ExactSizeIterator<Item = &'w [u8]>, replies: &mut Replies) -> Done {
        let [key] = exactly("get", words)?;
        let addr = parse_key(key, self.cache.len)?;
        let word = self.cache.node.view().read(addr);
        replies.bulk(format_word::<A>(word, &mut itoa::Buffer::new()).as_bytes());
        Ok(())
    }

    fn mget<'w>(
        &self,
        words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
        replies: &mut Replies,
    ) -> Done {
        if words.len() == 0 {
            return Err(wrong_number(b"mget"));
        }
        for key in words.clone() {
            parse_key(key, self.cache.len)?;
        }
        replies.array(words.len());
        words.for_each(|key| drop(self.get(std::iter::once(key), replies)));
        Ok(())
    }

    /// Adds to a counter, and answers what is known of it then.
    fn add<'w>(
        &mut self,
        command: &[u8],
        words: impl ExactSizeIterator<Item = &'w [u8]>,
        fixed: Option<i64>,
        is_negative: bool,
        replies: &mut Replies,
    ) -> Done {
        if !is_signed::<A>() {
            return Err(format!(
                "ERR {} needs a table of sums, and this one has --algebra xor",
                String::from_utf8_lossy(command)
            ));
        }
        let (key, amount) = match fixed {
            Some(amount) => {
                let [key] = exactly_of(command, words)?;
                (key, amount)
            }
            None => {
                let [key, amount] = exactly_of(command, words)?;
                let parsed = std::str::from_utf8(amount).ok().and_then(|text| text.parse().ok());
                (key, parsed.ok_or("ERR value is not an integer or out of range")?)
            }
        };
        let addr = parse_key(key, self.cache.len)?;
        let delta = if is_negative { amount.wrapping_neg() } else { amount };
        self.cache.node.local().accum(addr, delta as u64);
        replies.integer(self.cache.node.view().read(addr) as i64);
        Ok(())
    }

    fn accum<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>, replies: &mut Replies) -> Done {
        let [key, delta] = exactly("atomik.accum", words)?;
        let (addr, delta) = (parse_key(key, self.cache.len)?, value_of(delta)?);
        self.cache.node.local().accum(addr, delta);
        replies.simple("OK");
        Ok(())
    }

    async fn put<'w>(&self, words: impl ExactSizeIterator<Item = &'w [u8]>, replies: &mut Replies) -> Done {
        let [key, value] = exactly("atomik.put", words)?;
        let (addr, value) = (parse_key(key, self.cache.len)?, value_of(value)?);
        self.cache.node.put(addr, value).await.map_err(|error| refused(&error))?;
        replies.simple("OK");
        Ok(())
    }

    async fn digest<'w>(
        &self,
        words: impl ExactSizeIterator<Item = &'w [u8]>,
        replies: &mut Replies,
    ) -> Done {
        let [] = exactly("atomik.digest", words)?;
        let digest = self.cache.node.digest().await.map_err(|error| refused(&error))?;
        replies.bulk(format!("{digest:016x}").as_bytes());
        Ok(())
    }

    async fn wait<'w>(&self, words: impl ExactSizeIterator<Item = &'w [u8]>, replies: &mut Replies) -> Done {
        let [limit] = exactly("atomik.wait", words)?;
        let milliseconds = std::str::from_utf8(limit).ok().and_then(|text| text.parse::<u32>().ok());
        let milliseconds = milliseconds.ok_or("ERR timeout is not an integer or out of range")?;
        let limit = Duration::from_millis(milliseconds.into());
        match tokio::time::timeout(limit, self.cache.node.converged()).await {
            Ok(Ok(peers)) => {
                replies.integer(peers as i64);
                Ok(())
            }
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(format!("ERR timeout: some peer lacks something after {milliseconds} ms")),
        }
    }

    fn auth<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>) -> Done {
        // AUTH password, or AUTH default password.
        let password = match words.len() {
            1 | 2 => words.last().unwrap_or_default(),
            _ => return Err(wrong_number(b"auth")),
        };
        let Some(expected) = &self.cache.password else {
            return Err("ERR AUTH was called without any password configured".to_owned());
        };
        // The time tells only the length.
        if !bool::from(password.ct_eq(expected)) {
            return Err("WRONGPASS invalid username-password pair or user is disabled.".to_owned());
        }
        self.is_authenticated = true;
        Ok(())
    }

    fn hello<'w>(
        &mut self,
        mut words: impl ExactSizeIterator<Item = &'w [u8]> + Clone,
        replies: &mut Replies,
    ) -> Done {
        // In version 3, all replies here but this one are what they are in version 2.
        let protocol = match words.next() {
            None | Some(b"2") => 2,
            Some(b"3") => 3,
            Some(_) => {
                return Err("NOPROTO unsupported protocol version: this server speaks 2 and 3".to_owned());
            }
        };
        while let Some(option) = words.next() {
            match option.to_ascii_uppercase().as_slice() {
                b"AUTH" => {
                    let (Some(user), Some(password)) = (words.next(), words.next()) else {
                        return Err("ERR syntax error in HELLO".to_owned());
                    };
                    self.auth([user, password].into_iter())?;
                }
                b"SETNAME" if words.next().is_some() => {}
                _ => return Err("ERR syntax error in HELLO".to_owned()),
            }
        }
        if !self.is_authenticated {
            return Err("NOAUTH HELLO must be called with the client already authenticated".to_owned());
        }
        if protocol == 3 {
            replies.map(4);
        } else {
            replies.array(8);
        }
        replies.bulk(b"server");
        replies.bulk(b"atomik-node");
        replies.bulk(b"version");
        replies.bulk(env!("CARGO_PKG_VERSION").as_bytes());
        replies.bulk(b"proto");
        replies.integer(protocol);
        replies.bulk(b"mode");
        replies.bulk(b"standalone");
        Ok(())
    }

    fn info(&self) -> String {
        let Cache { node, len, description, .. } = self.cache;
        let mut text = format!(
            "# Server\r\nserver:atomik-node\r\nversion:{}\r\n{description}\r\n# Cluster\r\nid:{}\r\nwords:{len}\r\n",
            env!("CARGO_PKG_VERSION"),
            node.id(),
        );
        let peers = node.peers();
        text += &format!("listening:{}\r\n", u8::from(node.is_listening()));
        text += &format!("connected_peers:{}\r\n", peers.len());
        for peer in peers {
            text += &format!("peer:{peer}\r\n");
        }
        text += "\r\n# Stats\r\n";
        for (name, count) in node.stats().iter() {
            text += &format!("{name}:{count}\r\n");
        }
        text
    }
}

fn ping<'w>(words: impl ExactSizeIterator<Item = &'w [u8]>, replies: &mut Replies) -> Done {
    match words.len() {
        0 => replies.simple("PONG"),
        1 => words.for_each(|text| replies.bulk(text)),
        _ => return Err(wrong_number(b"ping")),
    }
    Ok(())
}

/// Answers what client libraries say of themselves.
fn client<'w>(mut words: impl ExactSizeIterator<Item = &'w [u8]>, replies: &mut Replies) -> Done {
    let Some(part) = words.next() else { return Err(wrong_number(b"client")) };
    match part.to_ascii_uppercase().as_slice() {
        b"SETNAME" | b"SETINFO" | b"REPLY" | b"NO-EVICT" | b"NO-TOUCH" => replies.simple("OK"),
        b"ID" => replies.integer(1),
        b"GETNAME" => replies.bulk(b""),
        _ => return Err(format!("ERR unknown subcommand '{}' of CLIENT", String::from_utf8_lossy(part))),
    }
    Ok(())
}

fn value_of(value: &[u8]) -> Result<u64, String> {
    parse_word(value).ok_or_else(|| {
        let shown = String::from_utf8_lossy(&value[..value.len().min(64)]);
        format!("ERR value {shown:?} is not an integer or out of range")
    })
}

/// The words of a command that has exactly as many.
fn exactly<'w, const N: usize>(
    command: &str,
    words: impl ExactSizeIterator<Item = &'w [u8]>,
) -> Result<[&'w [u8]; N], String> {
    exactly_of(command.as_bytes(), words)
}

fn exactly_of<'w, const N: usize>(
    command: &[u8],
    mut words: impl ExactSizeIterator<Item = &'w [u8]>,
) -> Result<[&'w [u8]; N], String> {
    if words.len() != N {
        return Err(wrong_number(command));
    }
    Ok(std::array::from_fn(|_| words.next().unwrap_or_default()))
}

fn wrong_number(command: &[u8]) -> String {
    let command = String::from_utf8_lossy(command).to_ascii_lowercase();
    format!("ERR wrong number of arguments for '{command}' command")
}

fn unknown<'w>(name: &[u8], words: impl Iterator<Item = &'w [u8]>) -> String {
    let shown = |word: &[u8]| String::from_utf8_lossy(&word[..word.len().min(64)]).into_owned();
    let with: Vec<String> = words.skip(1).take(4).map(|word| format!("'{}'", shown(word))).collect();
    format!("ERR unknown command '{}', with args beginning with: {}", shown(name), with.join(" "))
}

/// What a client is told when the node refuses something.
fn refused(error: &NodeError) -> String {
    match error {
        NodeError::Replica(error) => format!("ERR {error}"),
        other => format!("ERR {other}"),
    }
}
