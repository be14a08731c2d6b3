// 네트워크 점검의 말, 한국어.

/** @type {{[K in keyof typeof import('./words.en.js').default]: string|((p: any) => string)}} */
const ko = {
  'check.title': '여기서 통화가 잘될까요?',
  'check.intro': '카메라와 마이크, 네트워크를 실제 통화처럼 써 보며 점검해요. 길어야 30초쯤 걸려요.',
  'check.promise': '아무것도 녹화하지 않아요. 데이터는 많아야 8MB가 오가요.',
  'check.start': '점검 시작',
  'check.again': '다시 점검하기',
  'check.running': '점검하는 중…',
  'check.progress': ({ done, all }) => `${all}단계 중 ${done}단계를 마쳤어요`,
  'check.asking': '브라우저가 카메라와 마이크를 써도 되는지 물어봐요. 허용하지 않아도 점검은 계속돼요.',
  'check.steps': '점검 단계',
  'check.home': '처음으로',

  'check.state.waiting': '기다리는 중',
  'check.state.running': '점검하는 중',
  'check.state.passed': '좋아요',
  'check.state.warning': '살펴보세요',
  'check.state.failed': '안 돼요',
  'check.state.skipped': '건너뜀',

  'check.group.devices': '내 장치',
  'check.group.network': '내 네트워크',
  'check.group.relay': '중계 서버',
  'check.group.relay.text': '브라우저끼리 바로 닿지 못할 때 통화를 대신 전해 줘요.',

  'check.name.camera': '카메라',
  'check.name.microphone': '마이크',
  'check.name.signaling': '서버',
  'check.name.addresses': '주소',
  'check.name.nat': 'NAT',
  'check.name.udp': 'UDP 중계',
  'check.name.tcp': 'TCP 중계',
  'check.name.tls': 'TLS 중계',
  'check.name.trip': '왕복 시간',
  'check.name.speed': '전송 속도',

  'check.camera.ok': ({ label }) => `화면이 잘 나와요: ${label}`,
  'check.camera.ok.unnamed': '화면이 잘 나와요.',
  'check.camera.missing': '카메라를 찾지 못했어요. 연결해 보세요. 카메라가 없어도 들어가서 보고 들을 수 있어요.',
  'check.camera.busy': '다른 프로그램이 카메라를 쓰고 있어요. 닫고 다시 점검해 보세요.',
  'check.camera.refused': '이 페이지에서 카메라가 막혀 있어요. 주소창 왼쪽에서 허용하고 다시 점검해 보세요.',
  'check.camera.insecure': '카메라는 https:// 주소에서만 켤 수 있어요. https 주소로 열어 주세요.',
  'check.camera.unknown': '카메라가 켜지지 않았어요. 뺐다가 다시 꽂거나 브라우저를 다시 시작해 보세요.',
  'check.camera.unanswered': '브라우저의 물음에 아직 답하지 않았어요. 답한 다음 다시 점검해 보세요.',
  'check.microphone.ok': ({ label }) => `소리가 잘 들어와요: ${label}`,
  'check.microphone.ok.unnamed': '소리가 잘 들어와요.',
  'check.microphone.missing': '마이크를 찾지 못했어요. 연결해 보세요. 없어도 들어가서 들을 수 있어요.',
  'check.microphone.busy': '다른 프로그램이 마이크를 쓰고 있어요. 닫고 다시 점검해 보세요.',
  'check.microphone.refused': '이 페이지에서 마이크가 막혀 있어요. 주소창 왼쪽에서 허용하고 다시 점검해 보세요.',
  'check.microphone.insecure': '마이크는 https:// 주소에서만 켤 수 있어요. https 주소로 열어 주세요.',
  'check.microphone.unknown': '마이크가 켜지지 않았어요. 뺐다가 다시 꽂거나 브라우저를 다시 시작해 보세요.',
  'check.microphone.unanswered': '브라우저의 물음에 아직 답하지 않았어요. 답한 다음 다시 점검해 보세요.',
  'check.microphone.silent':
    '켜졌지만 아무 소리도 들어오지 않아요. 마이크에 달린 스위치와 시스템 설정의 입력 음량을 살펴보세요.',

  'check.signaling.ok': '서버가 대답하고, 브라우저와의 연결도 잘 이어져요.',
  'check.signaling.server': '서버가 대답하지 않아요. 인터넷에 연결되어 있는지 살펴보고 다시 점검해 보세요.',
  'check.signaling.closed':
    '페이지는 열리지만 웹소켓이 지나가지 못해요. 중간에 프록시나 차단 장치가 있으니, 네트워크 관리자에게 웹소켓을 열어 달라고 하세요.',
  'check.signaling.rate_limited': '같은 주소에서 점검을 너무 여러 번 했어요. 1분쯤 뒤에 다시 점검해 보세요.',
  'check.signaling.forbidden':
    '이 서버는 자기 컴퓨터에서만 쓸 수 있어요. localhost로 열거나 서버를 운영하는 분에게 물어보세요.',

  'check.addresses.ok': '브라우저가 통화할 상대에게 내 주소를 알려 줄 수 있어요.',
  'check.addresses.hidden':
    '브라우저가 내 주소를 임의의 이름 뒤에 숨겨 줘요. 통화에는 문제없고, 카메라나 마이크를 허용하면 주소를 알려 줘요.',
  'check.addresses.relay':
    '설정이나 확장 프로그램 때문에 브라우저가 내 주소를 알리지 않아요. 통화는 모두 중계 서버를 거쳐요.',
  'check.addresses.none':
    '브라우저가 주소를 하나도 내놓지 않아요. WebRTC가 꺼져 있거나 확장 프로그램이 막고 있으니, 이 페이지에서는 켜 주세요.',

  'check.nat.none': '이 서버까지 가는 동안 내 주소가 바뀌지 않아요. 바로 통화하기 좋아요.',
  'check.nat.same': '공유기가 누구에게나 같은 주소를 보여 줘요. 대부분의 사람과 바로 통화할 수 있는 좋은 방식이에요.',
  'check.nat.symmetric':
    '공유기가 상대마다 다른 주소를 보여 줘요(대칭형 NAT). 통화는 대부분 중계 서버를 거치고, 그래도 괜찮아요.',
  'check.nat.some': '공유기가 내 주소를 바꿔요. 이 서버는 주소 하나로만 대답해서 어떤 방식인지는 알 수 없어요.',
  'check.nat.unused':
    '브라우저가 UDP를 쓰지 않게 되어 있어서 알 수 없어요. 설정이나 확장 프로그램, 또는 기기 관리자가 정한 거예요.',
  'check.nat.unasked': '서버가 대답하지 않아 물어보지 못했어요.',
  'check.nat.blocked':
    'UDP로는 대답이 오지 않아요. 네트워크가 막았거나 서버에 닿지 않는 거예요. 여기서는 바로 통화할 수 없어요.',

  'check.relay.udp.open': '데이터가 잘 지나가요. 중계 서버로 가는 가장 좋은 길이에요.',
  'check.relay.tcp.open': '데이터가 잘 지나가요. UDP가 막힌 곳에서 도움이 돼요.',
  'check.relay.tls.open': '데이터가 잘 지나가요. 거의 다 막힌 곳에서도 통하는 길이에요.',
  'check.relay.udp.absent': '이 서버는 UDP 중계를 하지 않아요.',
  'check.relay.tcp.absent': '이 서버는 TCP 중계를 하지 않아요.',
  'check.relay.tls.absent': '이 서버는 TLS 중계를 하지 않아요.',
  'check.relay.udp.unused': '브라우저가 UDP를 쓰지 않게 되어 있어서 해 보지 못했어요.',
  'check.relay.reached':
    '대답하지만 초대가 있어야 쓸 수 있어요. 입장권이 든 링크로 이 페이지를 열면 속도도 잴 수 있어요.',
  'check.relay.expired': '대답하지만 이 링크의 입장권은 기한이 지났어요. 새 링크를 달라고 하세요.',
  'check.relay.untrusted':
    '브라우저가 서버의 인증서를 믿지 않아요. 서버가 스스로 서명한 인증서라서 그래요. 페이지의 경고를 넘겼어도 여기에는 통하지 않아요. 서버에 공인 인증서가 필요해요.',
  'check.relay.tls.doubtful':
    '연결되지 않아요. 네트워크가 포트를 막았거나, 브라우저가 서버의 인증서를 믿지 않는 거예요. 서버를 운영하는 분에게 물어보세요.',
  'check.relay.refused': ({ code }) =>
    `대답하지만 거절해요(${code}). 1분쯤 뒤에 다시 점검해 보고, 계속되면 서버를 운영하는 분에게 알려 주세요.`,
  'check.relay.stuck':
    '주소는 받았지만 아무것도 지나가지 못했어요. 서버 방화벽이 중계 포트를 막았을 수 있으니, 서버를 운영하는 분에게 알려 주세요.',
  'check.relay.udp.unreachable':
    '대답이 없어요. 네트워크가 UDP를 막았거나 서버의 포트가 닫혀 있어요. 그럴 땐 다른 길이 중요해요.',
  'check.relay.tcp.unreachable': '대답이 없어요. 네트워크가 몇몇 포트만 열어 두었거나 서버의 포트가 닫혀 있어요.',
  'check.relay.tls.unreachable': '대답이 없어요. 네트워크가 몇몇 포트만 열어 두었거나 서버의 포트가 닫혀 있어요.',

  'check.trip.ok': '중계 서버까지 다녀오는 시간이에요. 한방에 있는 것처럼 말이 오가요.',
  'check.trip.far': '중계 서버까지 다녀오는 시간이에요. 서버가 멀거나 회선이 붐벼서 대답이 조금 늦게 들려요.',
  'check.trip.lossy': ({ lost, sent }) =>
    `패킷 ${sent}개 중 ${lost}개를 잃었어요. 소리가 끊길 수 있으니 와이파이에 가까이 가거나 유선을 써 보세요.`,
  'check.trip.none': '데이터가 지나간 중계 서버가 없어서 재지 못했어요.',
  'check.speed.ok': '중계 서버로 동시에 주고받은 속도예요. 여러 사람의 화면을 보기에 넉넉해요.',
  'check.speed.some': '중계 서버로 동시에 주고받은 속도예요. 작은 화면으로 통화하기에 충분해요.',
  'check.speed.little': '중계 서버로 동시에 주고받은 속도예요. 목소리에는 충분하니, 끊기면 카메라를 꺼 보세요.',
  'check.speed.none': '데이터가 지나간 중계 서버가 없어서 재지 못했어요.',

  'verdict.good': '여기서는 통화가 잘돼요',
  'verdict.good.text': '상대 네트워크가 허락하면 바로 이어지고, 그렇지 않으면 중계 서버를 거쳐 이어져요.',
  'verdict.symmetric': '중계 서버를 거쳐 통화가 돼요',
  'verdict.symmetric.text':
    '대칭형 NAT 뒤에 있어서 통화는 중계 서버를 거쳐요. UDP로 잘 닿으니 거의 느끼지 못할 거예요.',
  'verdict.udp_relay': '조금 돌아서 통화가 돼요',
  'verdict.udp_relay.text':
    'UDP가 밖으로 나가기는 하지만 중계 서버에는 닿지 않아요. 바로 이어지지 않는 통화는 TCP로 중계 서버를 거치니 화면이 끊길 수 있어요. 포트가 닫혀 있을 수 있으니 서버를 운영하는 분에게 알려 주세요.',
  'verdict.tcp_only': 'TCP 중계를 거쳐 통화가 돼요',
  'verdict.tcp_only.text':
    '네트워크가 UDP를 막아서 통화는 모두 TCP로 중계 서버를 거쳐요. 회선이 붐비면 화면이 끊길 수 있어요. 가능하면 다른 네트워크를 써 보세요.',
  'verdict.browser': '중계 서버만 거쳐 통화가 돼요',
  'verdict.browser.text':
    '브라우저가 UDP를 쓰지 않게 되어 있어서 통화는 모두 TCP로 중계 서버를 거쳐요. 회선이 붐비면 화면이 끊길 수 있어요. 개인 정보 보호 확장 프로그램이나 기기 관리자가 그렇게 정했을 수 있어요.',
  'verdict.tls_only': 'TLS 중계를 거쳐 통화가 돼요',
  'verdict.tls_only.text':
    '네트워크가 암호화된 웹 통신 말고는 거의 막고 있어서 통화는 모두 TLS로 중계 서버를 거쳐요. 회선이 붐비면 화면이 끊길 수 있어요.',
  'verdict.relay_gone': '몇몇 사람과만 통화가 돼요',
  'verdict.relay_gone.text':
    '바로 통화할 수는 있지만 중계 서버를 쓸 수 없어요. 막힌 곳이 많은 네트워크에 있는 사람과는 이어지지 않아요. 서버를 운영하는 분에게 결과를 보내 알려 주세요.',
  'verdict.symmetric_alone': '여기서는 통화가 거의 안 돼요',
  'verdict.symmetric_alone.text':
    '대칭형 NAT 뒤에 있어서 중계 서버가 있어야 하는데, 지금은 쓸 수 없어요. 다른 네트워크를 써 보고, 서버를 운영하는 분에게 결과를 보내 주세요.',
  'verdict.blocked': '이 네트워크에서는 통화가 안 돼요',
  'verdict.blocked.text':
    '바로 하는 통화도, 중계 서버도 막혀 있어요. 휴대폰 데이터 같은 다른 네트워크를 써 보거나 이 네트워크의 관리자에게 물어보세요. 결과를 보내면 무엇이 막혔는지 알 수 있어요.',
  'verdict.unmeasured': '길이 열려 있어요',
  'verdict.unmeasured.text':
    '서버와 중계 서버가 모두 대답해요. 통화를 얼마나 잘 전하는지는 초대가 있어야 잴 수 있어요. 입장권이 든 링크로 이 페이지를 열어 보세요.',
  'verdict.unmeasured_blocked': '중계 서버는 대답하고, 바로 하는 통화는 막혀 있어요',
  'verdict.unmeasured_blocked.text':
    '네트워크가 UDP를 막아서 통화는 중계 서버를 거칠 거예요. 얼마나 잘 전하는지는 초대가 있어야 잴 수 있어요. 입장권이 든 링크로 이 페이지를 열어 보세요.',
  'verdict.server': '서버에 닿지 않아요',
  'verdict.server.text':
    '서버와 이어지지 않으면 통화를 시작할 수 없어요. 인터넷에 연결되어 있는지 살펴보고 다시 점검해 보세요. 이 페이지만 안 된다면 서버를 운영하는 분에게 결과를 보내 주세요.',
  'verdict.no_webrtc': '이 브라우저로는 통화할 수 없어요',
  'verdict.no_webrtc.text':
    '설정이나 확장 프로그램이 WebRTC를 껐어요. 이 페이지에서는 켜 주거나 최신 크롬, 엣지, 파이어폭스, 사파리를 써 보세요.',
  'verdict.again': '방금 점검을 너무 여러 번 했어요',
  'verdict.again.text': '같은 주소에서 점검이 많았어요. 1분쯤 뒤에 다시 점검해 보세요.',
  'verdict.note.untrusted':
    '브라우저가 서버의 인증서를 믿지 않아서 TLS 중계를 쓸 수 없어요. TLS만 지나가는 네트워크에서는 통화가 안 될 거예요.',
  'verdict.note.slow': '회선에 여유가 없어요. 소리가 끊기면 카메라를 꺼 보세요.',
  'verdict.note.far': '서버까지 길이 멀어요. 대답이 조금 늦게 들릴 수 있어요.',
  'verdict.note.lossy': '가는 길에 패킷을 잃어요. 와이파이 대신 유선을 쓰면 나아질 때가 많아요.',
  'verdict.note.camera': '아직 카메라를 쓸 수 없어요. 첫 단계를 살펴보세요.',
  'verdict.note.microphone': '아직 마이크를 쓸 수 없어서 내 목소리가 들리지 않아요. 둘째 단계를 살펴보세요.',
  'verdict.note.devices': '아직 카메라와 마이크를 쓸 수 없어요. 처음 두 단계를 살펴보세요.',

  'report.title': '도와줄 사람에게 보낼 결과',
  'report.text': '점검한 내용을 모두 글로 담았어요. 내 주소는 줄여서 적었어요.',
  'report.text.full': '점검한 내용을 모두 글로 담았어요. 내 주소가 그대로 있으니 믿는 사람에게만 보내세요.',
  'report.full': '주소와 장치 이름을 그대로 적기',
  'report.copy': '결과 복사',
  'report.copied': '복사했어요. 메시지에 붙여 넣으세요.',
  'report.failed': '복사하지 못했어요. 아래 글을 직접 골라 복사해 주세요.',
  'report.show': '결과 보기',
  'report.head': 'madang 네트워크 점검',
  'report.page': '페이지',
  'report.browser': '브라우저',
  'report.verdict': '판정',
  'report.addresses': '주소',
  'report.errors': '브라우저가 서버에 대해 한 말',
  'report.measured': '잰 값',
  'report.nothing': '없음',
};

export default ko;
